"""What the API refuses, as exceptions that carry Kubernetes' Status object."""

from __future__ import annotations

import json
from typing import Any

PASSING = (429, 500, 502, 503, 504)
"""What an API server answers that has too much to do, no leader or no more time: the same may be answered later."""


class ApiError(Exception):
    """The API answered with a Status of ``Failure``.

    ``code`` is the HTTP status, ``reason`` Kubernetes' machine-readable word (``NotFound``, ``AlreadyExists``,
    ``Conflict``, ``Invalid``, ``Expired`` …), ``status`` the whole object.
    """

    def __init__(self, code: int, reason: str, message: str, status: dict[str, Any] | None = None) -> None:
        super().__init__(f"{reason} ({code}): {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.status = status or {}

    @classmethod
    def from_body(cls, code: int, body: bytes) -> ApiError:
        """Read the Status object in an error answer; anything else is kept as the message."""
        try:
            status = json.loads(body)
        except ValueError:
            status = None
        if not isinstance(status, dict):
            return cls(code, "Unknown", body.decode(errors="replace")[:200])
        return cls.from_status(status, code)

    @classmethod
    def from_status(cls, status: dict[str, Any], code: int | None = None) -> ApiError:
        """From a Status object, as a watch sends it in an ERROR event."""
        code = code or status.get("code") or 500
        return cls(code, status.get("reason") or "Unknown", status.get("message") or "", status)


def is_not_found(error: Exception) -> bool:
    """Whether the object was not there."""
    return isinstance(error, ApiError) and error.code == 404


def is_conflict(error: Exception) -> bool:
    """Whether somebody else changed the object first (409 Conflict, not AlreadyExists)."""
    return isinstance(error, ApiError) and error.code == 409 and error.reason == "Conflict"


def already_exists(error: Exception) -> bool:
    """Whether the object was there already (409 AlreadyExists)."""
    return isinstance(error, ApiError) and error.reason == "AlreadyExists"
