"""Kubernetes' Status errors: what the API answers when it refuses.

Wording and reasons follow apimachinery's ``api/errors``; clients match on both.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.client.transport import ApiResponse

JSON_TYPE = "application/json"


class StatusError(Exception):
    """A refusal. ``code`` is the HTTP status, ``reason`` the machine-readable word."""

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None,
        *, meta: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        """``meta``: the Status' own ``metadata``, such as where a list can go on."""
        super().__init__(message)
        self.meta = meta or {}
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """The Status object."""
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": self.meta,
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status

    def response(self) -> ApiResponse:
        """The Status object as an HTTP answer."""
        headers = {"content-type": JSON_TYPE}
        retry = (self.details or {}).get("retryAfterSeconds")
        if retry:
            headers["retry-after"] = str(retry)
        return ApiResponse(self.code, json.dumps(self.body(), separators=(",", ":")).encode(), headers)


def _details(rtype: ResourceType, name: str, **more: Any) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name} if name else {}
    if rtype.group:
        details["group"] = rtype.group
    return {**details, "kind": rtype.plural, **more}


def not_found(rtype: ResourceType, name: str) -> StatusError:
    """404: no such object."""
    return StatusError(404, "NotFound", f'{rtype.qualified} "{name}" not found', _details(rtype, name))


def already_exists(rtype: ResourceType, name: str, *, going: bool = False) -> StatusError:
    """409 AlreadyExists; ``going``: not for long."""
    message = f'{"object is being deleted: " if going else ""}{rtype.qualified} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(rtype, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(rtype: ResourceType, name: str, why: str = STALE) -> StatusError:
    """409 Conflict: somebody changed the object first."""
    message = f'Operation cannot be fulfilled on {rtype.qualified} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(rtype, name))


def not_as_meant(rtype: ResourceType, name: str, why: str) -> StatusError:
    """409 Conflict: a precondition of a delete does not hold. Upstream names the kind here, not the resource."""
    qualified = f"{rtype.kind}.{rtype.group}" if rtype.group else rtype.kind
    message = f'Operation cannot be fulfilled on {qualified} "{name}": {why}'
    return StatusError(409, "Conflict", message, {**_details(rtype, name), "kind": rtype.kind})


def forbidden(rtype: ResourceType, name: str, why: str, causes: Sequence[dict[str, Any]] = ()) -> StatusError:
    """403: an admission rule refuses the request."""
    what = f'{rtype.qualified} "{name}" is forbidden: {why}' if name else f"{rtype.qualified} is forbidden: {why}"
    more = {"causes": list(causes)} if causes else {}
    return StatusError(403, "Forbidden", what, _details(rtype, name, **more))


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return StatusError(400, "BadRequest", message)


def invalid(kind: str, group: str, name: str, errors: Sequence[Any]) -> StatusError:
    """422: understood and not acceptable. ``errors`` are `FieldError` (`validation.fields`)."""
    unique = list(dict.fromkeys(str(error) for error in errors))
    text = unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {"name": name} if name else {}
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [error.cause() for error in errors]
    return StatusError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', details)


_NO_SUCH_METHOD = "the server does not allow this method on the requested resource"


def method_not_allowed(rtype: ResourceType | None = None, why: str = _NO_SUCH_METHOD) -> StatusError:
    """405: the resource has no such verb, or not now."""
    return StatusError(405, "MethodNotAllowed", why, _details(rtype, "") if rtype else {})


def unknown_resource() -> StatusError:
    """404: the API has no such resource."""
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def unauthorized() -> StatusError:
    """401: no identity, or one that does not hold."""
    return StatusError(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> StatusError:
    """410: the resource version is older than what is kept."""
    return StatusError(410, "Expired", message)


def not_acceptable(accepted: str = "application/json, application/yaml", why: str = "") -> StatusError:
    """406: the client accepts nothing that is served here, or (``why``) what does not fit what it asks for."""
    return StatusError(406, "NotAcceptable", why or f"only the following media types are accepted: {accepted}")


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    """415: the body's type is not one that is read here."""
    why = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", why)


def too_large() -> StatusError:
    """413: the body is over 3 MiB."""
    return StatusError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")


def failed(message: str) -> StatusError:
    """500 without a reason: what upstream's storage refuses in words of its own."""
    return StatusError(500, "", message)


def unavailable(message: str) -> StatusError:
    """503: what the request is meant for is not there to answer it."""
    return StatusError(503, "ServiceUnavailable", message)


def internal(message: str) -> StatusError:
    """500: our fault, or a node's."""
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})
