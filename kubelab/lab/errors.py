"""What goes wrong in a lesson, said in one sentence."""

from __future__ import annotations

from http import HTTPStatus

from kubelab.clusters.base import SKIPPED

PASSING = (500, 502, 503, 504)
"""What an API server says that has lost its store's leader, or its patience."""
PAUSES_SECONDS = (0.3, 0.6, 1.2)
"""Between one attempt and the next, where it is worth asking again."""


class LabError(Exception):
    """The message is one sentence that says what happened and what to do next.

    A notebook shows the sentence alone: a traceback through kubelab would say nothing about the learner's cell.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class Lacking(LabError):
    """This cluster lacks what is asked for. The message begins with `kubelab.clusters.base.SKIPPED`."""

    def __init__(self, sentence: str) -> None:
        super().__init__(SKIPPED + sentence.removeprefix(SKIPPED))


class BadManifest(LabError):
    """A manifest cannot be applied as it is written."""


class TimedOut(LabError):
    """A wait came to its end. The message says what was last seen."""


class CannotRun(LabError):
    """A command could not be started where it was asked for."""


class NoAnswer(LabError):
    """The API was asked, and whether it has done anything nobody knows."""


class ApiError(LabError):
    """The API answered with an error.

    ``status`` is the HTTP code, ``reason`` and ``details`` are those of Kubernetes' Status object
    (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). One with the code 404 is a
    `NotFound`, as an `OSError` with ENOENT is a `FileNotFoundError`.
    """

    def __new__(cls, status: int, *_: object) -> ApiError:
        """The class that the code asks for."""
        return super().__new__(NotFound if status == HTTPStatus.NOT_FOUND else cls)

    def __init__(self, status: int, reason: str, message: str, details: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.details = details or {}

    @property
    def passes(self) -> bool:
        """Whether it is the control plane's moment that spoke: whether anything was done nobody knows."""
        return self.status in PASSING


class NotFound(ApiError):
    """There is no such object, or the API serves no such kind."""
