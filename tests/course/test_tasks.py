import pytest

from kubelab import check, hint, solution
from kubelab.course import brief, start
from kubelab.course.catalogue import catalogue
from kubelab.course.seed import Seed
from kubelab.grading import Book, Outcome
from kubelab.lab.errors import LabError

TASKS = [task for lesson in catalogue() for task in lesson.tasks]


def test_ids_are_unique_across_the_course():
    ids = [question.id for lesson in catalogue() for question in lesson.questions] + [task.id for task in TASKS]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_every_task_has_hints_and_none_of_them_is_the_solution(task):
    assert len(task.hints) >= 2
    key_lines = [line.strip() for line in task.solution.splitlines() if "lab." in line]
    assert not [line for line in key_lines for text in task.hints if line in text]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_another_learner_has_other_names(task):
    assert task.facts(Seed("a")) != task.facts(Seed("b"))
    assert task.facts(Seed("a")) == task.facts(Seed("a"))


def test_hints_come_one_by_one_and_the_last_one_stays():
    heads = [hint("1.1").head for _ in range(4)]
    assert heads == [f"Hint {n} of 3 for 1.1" for n in (1, 2, 3, 3)]


def test_a_hint_is_filled_with_the_learners_own_names(lab):
    assert start("1.1").app in hint("1.1", level=3).text


def test_the_solution_waits_for_an_attempt():
    assert "when you have tried" in solution("1.1").head
    Book().write("attempt", "1.1", {"outcome": Outcome.INCORRECT})
    assert "lab.scale" in solution("1.1").text


def test_a_cluster_in_trouble_is_not_the_learners_fault(lab, monkeypatch):
    def broken(*_):
        raise LabError("the API does not answer")

    monkeypatch.setattr(lab, "get", broken)
    result = check("1.2")
    assert result.outcome is Outcome.CANNOT_CHECK
    assert not Book().attempted("1.2")


def test_a_cluster_that_lacks_what_the_lesson_needs_cannot_check_its_tasks(lab):
    result = check("4.2")
    assert result.outcome is Outcome.CANNOT_CHECK
    assert "Skipped: Lesson 4 needs" in repr(result)
    assert not Book().attempted("4.2")


def test_a_task_that_does_not_exist_is_one_sentence():
    with pytest.raises(LabError, match=r"no task '7.7'; there are 1.1, 1.2"):
        check("7.7")


def test_a_restarted_kernel_gets_the_brief_again_and_the_work_stays(lab):
    told = start("1.2")
    lab.delete("deployment/customer")
    assert brief("1.2") == told
    assert [each["metadata"]["name"] for each in lab.find("deployments")] == [told.app]


def test_a_brief_gives_its_names_as_attributes(lab):
    brief = start("1.2")
    assert brief.service in repr(brief)
    with pytest.raises(AttributeError, match=r"it has app, container_port, service, service_port"):
        brief.nothing  # noqa: B018
