"""A course on one cluster: its lessons in their order, what it lacks, what differs run again, an end to it all."""

import json
from types import SimpleNamespace

from kubelab.course.catalogue import catalogue
from tools.parity.__main__ import _beside_each_other
from tools.parity.course import Course
from tools.parity.places import NotThere, Place

LESSONS = catalogue()[:2]
NEEDS = frozenset().union(*(each.needs for each in LESSONS))


class Cluster:
    """Runs no notebook: writes down what the plugin would, with cells that differ as often as it is told."""

    def __init__(self, home, differs=0, capabilities=NEEDS, why=""):
        self.place, self.home, self.note = Place(home.name, home.name), home, ""
        self.differs, self.capabilities, self.why = differs, capabilities, why
        self.ran, self.ended = [], 0

    def begin(self):
        if self.why:
            raise NotThere(self.why)

    def can(self):
        return self.capabilities, dict.fromkeys(("exec", "nodes"), "the account may not")

    def run(self, *argv, seconds, **environment):
        self.home.mkdir(exist_ok=True)
        notebook = argv[-1]
        self.ran.append(notebook.parent.name + notebook.stem[:2])
        codes = sum(each["cell_type"] == "code" for each in json.loads(notebook.read_text())["cells"])
        wrong, self.differs = self.differs > 0, self.differs - 1
        lines = [{"id": f"c{at}", "source": "", "passed": at or not wrong, "shown": ""} for at in range(codes)]
        (file,) = (part.partition("=")[2] for part in argv if str(part).startswith("--parity-cells="))
        with open(file, "x") as out:
            out.writelines(json.dumps(line) + "\n" for line in lines)
        return SimpleNamespace(stdout="", stderr="", returncode=0)

    def end(self):
        self.ended += 1


def course(cluster):
    return Course(cluster, LESSONS)


def test_every_notebook_of_every_lesson_runs_once_in_their_order(tmp_path):
    cluster = Cluster(tmp_path / "one")
    taken = course(cluster)
    taken.take(lambda: False)
    assert cluster.ran == ["notebooks01", "solutions01", "notebooks02", "solutions02"]
    assert not taken.differing and taken.verdicts[1].cells > 10


def test_a_lesson_whose_needs_are_lacking_is_not_run_and_says_why(tmp_path):
    cluster = Cluster(tmp_path / "one", capabilities=frozenset())
    taken = course(cluster)
    taken.take(lambda: False)
    assert all("the account may not" in taken.verdicts[each.number].lacks for each in LESSONS if each.needs)


def test_a_lesson_that_differs_runs_again_and_the_second_run_counts(tmp_path):
    cluster = Cluster(tmp_path / "one", differs=1)
    taken = course(cluster)
    taken.take(lambda: False)
    (lesson,) = taken.differing
    taken.take_again(lesson)
    assert cluster.ran[-2:] == ["notebooks01", "solutions01"]
    assert not taken.differing and taken.verdicts[1].beside_others == ("the lesson, cell c0",)


def test_cells_that_were_not_run_count_as_different(tmp_path, monkeypatch):
    cluster = Cluster(tmp_path / "one")
    monkeypatch.setattr(Cluster, "run", lambda *_, **__: SimpleNamespace(stdout="it broke", stderr=""))
    taken = course(cluster)
    taken.take(lambda: False)
    assert taken.differing == list(LESSONS)


def test_a_cluster_is_taken_down_as_soon_as_nothing_has_to_run_again(tmp_path):
    equal, differs, none = (
        Cluster(tmp_path / "equal"), Cluster(tmp_path / "differs", differs=1), Cluster(tmp_path / "none", why="No."),
    )  # fmt: skip
    assert _beside_each_other([course(each) for each in (equal, differs, none)], 2) == {"none": "No."}
    assert (equal.ended, differs.ended, none.ended) == (1, 0, 1)


def test_who_is_told_to_stop_begins_no_further_lesson(tmp_path):
    cluster = Cluster(tmp_path / "one")
    course(cluster).take(lambda: len(cluster.ran) == 2)
    assert cluster.ran == ["notebooks01", "solutions01"]
