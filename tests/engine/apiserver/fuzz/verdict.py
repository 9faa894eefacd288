"""Which answers are wrong whatever was asked."""

from __future__ import annotations

from tests.engine.apiserver.fuzz.requests import FuzzRequest

UPSTREAMS_OWN = (
    b"ResourceVersionTooLarge",
    b"This pod has more than one PodDisruptionBudget",
    b"has no address yet",
    b"error dialing backend",
    b"error trying to reach service",
    b"Internal error occurred: Get \"https://",
)  # fmt: skip
"""The real API server answers with a 5xx here too: the future, two budgets, and nodes that do not answer."""


STORAGES_OWN = b'"code":500}'
"""So ends a Status without a reason or details: upstream's storage has refused a version that is none."""


def is_fault(asked: FuzzRequest, status: int, body: bytes) -> bool:
    """Whether an answer is the server's own failure. Of a HEAD to a proxy nobody can tell: it says no words."""
    wordless = asked.method == "HEAD" and "/proxy" in asked.line
    if status == 500 and body.endswith(STORAGES_OWN) and b'"reason"' not in body:
        return False
    return status >= 500 and not wordless and not any(words in body for words in UPSTREAMS_OWN)
