"""Resource versions that jump: growing numbers still (KEP-5504), but none that a client could have counted on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from kubelab.engine.client import ApiRequest

_FIRST, _STEP, _JITTER = 5_000_000, 7, 5


def encode(revision: str) -> str:
    return str(_FIRST + int(revision) * _STEP + int(revision) % _JITTER) if revision.isdigit() else revision


def decode(shown: str) -> str:
    return str((int(shown) - _FIRST) // _STEP) if shown.isdigit() and int(shown) > _FIRST else shown


def decoded(request: ApiRequest) -> ApiRequest:
    """As our server counts."""
    query = [(key, decode(value) if key == "resourceVersion" else value) for key, value in request.query]
    try:
        body = json.loads(request.body)
    except ValueError:
        return replace(request, query=query)
    if isinstance(body, dict):
        for part in (body.get("metadata"), body.get("preconditions")):
            _decode_in(part)
    elif isinstance(body, list):
        for step in body:
            if isinstance(step, dict) and step.get("path") == "/metadata/resourceVersion":
                step["value"] = decode(step["value"])
    return replace(request, query=query, body=json.dumps(body).encode())


def _decode_in(part: Any) -> None:
    if isinstance(part, dict) and isinstance(part.get("resourceVersion"), str):
        part["resourceVersion"] = decode(part["resourceVersion"])
