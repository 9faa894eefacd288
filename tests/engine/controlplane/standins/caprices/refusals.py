"""Requests that are not answered as they should be: too many, no leader, no answer in time."""

from __future__ import annotations

import json
import random

from kubelab.engine.client import ApiRequest, ApiResponse

NOT_OURS = ("kubectl", "OpenAPI-Generator", "curl", "python", "Go-http-client", "kube-probe")
"""Programs that a learner runs, which answer for themselves."""
BUSY, FAILS, LOST = 0.02, 0.02, 0.015
_FAILURES = [
    (500, "InternalError", "etcdserver: leader changed", None),
    (503, "ServiceUnavailable", "the server is currently unable to handle the request", None),
    (504, "Timeout", "Timeout: request did not complete within requested timeout - context deadline exceeded", None),
    (500, "ServerTimeout", "The get operation against the store could not be completed at this time", 1),
]


def before(chance: random.Random, request: ApiRequest) -> ApiResponse | None:
    """A refusal before anything was done."""
    if not _concerns(request):
        return None
    drawn = chance.random()
    if drawn < BUSY:
        return status(429, "TooManyRequests", "too many requests, please try again later", 1)
    if drawn < BUSY + FAILS:
        return status(*chance.choice(_FAILURES))
    return None


def after(chance: random.Random, request: ApiRequest, answer: ApiResponse) -> ApiResponse | None:
    """What is told instead of the answer to a write that took effect."""
    if request.method == "GET" or answer.status >= 300 or not _concerns(request) or chance.random() >= LOST:
        return None
    return status(*_FAILURES[2])


def status(code: int, reason: str, message: str, retry_after: int | None = None) -> ApiResponse:
    details = {"retryAfterSeconds": retry_after} if retry_after else {}
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "details": details,
        "code": code,
    }
    headers = {"content-type": "application/json", **({"retry-after": str(retry_after)} if retry_after else {})}
    return ApiResponse(code, json.dumps(body).encode(), headers)


def _concerns(request: ApiRequest) -> bool:
    return request.path.startswith("/api") and not request.headers.get("user-agent", "").startswith(NOT_OURS)
