"""``/healthz``, ``/livez`` and ``/readyz``: as a whole, check by check, and told (``?verbose``).

Source: https://kubernetes.io/docs/reference/using-api/health-checks/ (1.36)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubelab.engine.client.transport import ApiRequest, ApiResponse

Check = Callable[[], bool]
PATHS = ("healthz", "livez", "readyz")
_TEXT = {"content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff"}


def answer(request: ApiRequest, parts: list[str], checks: Mapping[str, Check]) -> ApiResponse | None:
    """The answer to ``/readyz`` (all checks) or ``/readyz/NAME``; None for a check that does not exist."""
    endpoint, *names = parts
    if names and (len(names) > 1 or names[0] not in checks):
        return None
    chosen = {name: check for name, check in checks.items() if not names or name == names[0]}
    excluded = {value for key, value in request.query if key == "exclude"}
    lines, healthy = [], True
    for name, check in chosen.items():
        if name in excluded:
            lines.append(f"[+]{name} excluded: ok")
        elif check():
            lines.append(f"[+]{name} ok")
        else:
            healthy = False
            lines.append(f"[-]{name} failed: reason withheld")
    lines += [
        f"warn: some health checks cannot be excluded: no matches for {name}" for name in sorted(excluded - {*checks})
    ]
    if healthy and "verbose" not in dict(request.query):
        return ApiResponse(200, b"ok", dict(_TEXT))
    lines.append(f"{endpoint} check {'passed' if healthy else 'failed'}")
    return ApiResponse(200 if healthy else 500, "\n".join([*lines, ""]).encode(), dict(_TEXT))
