"""The seed's part of task 2.2: every learner gets five Services of which exactly three are broken, each repairable."""

from collections import Counter

import pytest

from kubelab.course import hint, solution
from kubelab.course.lessons.lesson02_services_and_endpointslices import puzzle, repair, two_versions
from kubelab.course.seed import Seed
from kubelab.grading import Book, Outcome, Result

SEEDS = [f"learner {number}" for number in range(60)]


def reached(case, wire, cases):
    """The apps and ports that a wire leads to: (app, where it is sent, where it listens)."""
    return {
        (version.app, version.port if wire.target == version.port_name else wire.target, version.port)
        for other in cases
        for version in other.versions
        if {"app": version.app, "team": version.team}[wire.label] == wire.value
        and (isinstance(wire.target, int) or wire.target == version.port_name)
    }


def works(case, wire, cases):
    found = reached(case, wire, cases)
    return bool(found) and all(app == case.app and sent == listens for app, sent, listens in found)


@pytest.mark.parametrize("seed", SEEDS[:20])
def test_three_of_five_are_broken_and_all_can_be_right(seed):
    cases = puzzle.cases(Seed(seed))
    assert [works(case, case.wire, cases) for case in cases] == [not case.fault for case in cases]
    assert sum(bool(case.fault) for case in cases) == 3
    assert all(works(case, case.right, cases) for case in cases)
    assert len({case.fault for case in cases if case.fault}) == 3
    assert len({case.app for case in cases}) == len({case.service for case in cases}) == 5


@pytest.mark.parametrize("seed", SEEDS[:20])
def test_plausible_wrong_repairs_stay_wrong(seed):
    cases = puzzle.cases(Seed(seed))
    for case in cases:
        if case.fault == puzzle.NAME:
            assert not any(works(case, case.right._replace(target=each.port), cases) for each in case.versions)
        if case.fault == puzzle.BROAD:
            strangers = {app for app, *_ in reached(case, case.wire, cases)} - {case.app}
            assert len(strangers) == 1


def test_learners_differ_in_which_are_broken_and_how():
    drawn = [puzzle.cases(Seed(seed)) for seed in SEEDS]
    assert len({tuple(case.fault for case in cases) for cases in drawn}) > 20
    faults = Counter(case.fault for cases in drawn for case in cases if case.fault)
    assert set(faults) == set(puzzle.FAULTS)


@pytest.mark.parametrize("word", ["calm-heron", "web", "api", "aa", "serve"])
def test_a_misspelt_word_is_another_word(word):
    assert puzzle.misspelt(word) != word


def test_the_three_repairs_are_told_in_the_solution_alone():
    told = str(repair.secrets(Seed("test"))["repairs"])
    cases = [case for case in puzzle.cases(Seed("test")) if case.fault]
    assert told.count("lab.apply") == 3
    assert all(f"name: {case.service}" in told for case in cases)
    hints = "".join(hint("2.2", level).text for level in range(1, len(repair.TASK.hints) + 1))
    assert not any(case.service in hints or str(case.right.target) in hints for case in cases)
    assert "is here when you have tried" in repr(solution("2.2"))
    Book().keep(Result("2.2", Outcome.INCORRECT, "tried"))
    assert solution("2.2").text == told.strip("\n")


def test_the_hints_of_the_first_task_do_not_name_its_port():
    port_name = two_versions.versions(Seed("test"))[0].port_name
    assert not any(port_name in hint("2.1", level).text for level in (1, 2, 3))
