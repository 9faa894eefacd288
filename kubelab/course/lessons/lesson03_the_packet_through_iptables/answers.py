"""What a learner found out: written into the book, for the check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelab.course.catalogue import task
from kubelab.grading import Book
from kubelab.lab.errors import LabError

KIND = "answer"
WANTED: Mapping[str, tuple[str, ...]] = {
    "3.1": ("chain",),
    "3.2": ("node", "service_chain", "endpoints"),
}


class Answer(dict[str, Any]):
    """What was written down."""

    def __repr__(self) -> str:
        return f"Answer({', '.join(self)}: written down; now check it)"


def answer(task_id: str, **found: Any) -> Answer:
    """Write down what you found: ``answer("3.1", chain="KUBE-…")``. Raises `LabError`."""
    if task_id not in WANTED:
        raise LabError(f"Task {task(task_id).id} is not answered in words.")
    wanted = WANTED[task_id]
    if set(found) != set(wanted):
        raise LabError(f"Task {task_id} asks for {', '.join(f'{name}=…' for name in wanted)}.")
    endpoints = found.get("endpoints", {})
    if not isinstance(endpoints, Mapping) or not all(
        isinstance(each, str) for pair in endpoints.items() for each in pair
    ):
        raise LabError('endpoints is a dict: {"KUBE-…": "ADDRESS:PORT", …}.')
    texts = [value for name, value in found.items() if name != "endpoints"]
    if not all(isinstance(value, str) for value in texts):
        raise LabError(f"{' and '.join(name for name in wanted if name != 'endpoints')} must be text.")
    Book().write(KIND, task_id, {**found, **({"endpoints": dict(endpoints)} if endpoints else {})})
    return Answer(found)


def given(task_id: str) -> dict[str, Any] | None:
    """The newest answer; None when there is none."""
    found = Book().last(KIND, task_id)
    return dict(found) if found else None


def forget(task_id: str) -> None:
    """A new start: what was answered before counts no more."""
    Book().write(KIND, task_id, None)
