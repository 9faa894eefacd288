"""What lessons leave: the pods of the last few stay for whoever wants to look on, older ones make room.

Every lesson and every task works in a namespace of its own and leaves it as it is. A whole course of them would be some
two hundred pods, more than a small machine or Binder has memory for.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

from kubelab.lab import kinds, waiting
from kubelab.lab.api import Api, Object
from kubelab.lab.errors import NotFound, TimedOut
from kubelab.lab.objects import MANAGED_BY, Objects

BEGUN = "kubelab.dev/begun"
"""Annotation of a namespace: when a lesson or a task was last begun in it."""
KEPT = 3
"""So many stay beside the one that begins; what lies next door (``lesson-11-neighbours``) goes with its lesson."""
GONE_SECONDS = 30
_OURS = re.compile(r"(?P<base>(?:lesson|task)-\d+)(?:-.+)?")


def make_room(api: Api, namespace: str) -> None:
    """Note that something begins in ``namespace``, and delete what lessons before the last `KEPT` left.

    Only namespaces that kubelab made and that are called as its lessons and tasks are. Waits until they are gone, so
    that nothing of theirs is in the way of what is measured next; one that is held by a finalizer is not waited for
    longer than `GONE_SECONDS`, and not again. Raises `ApiError`.
    """
    if not _OURS.fullmatch(namespace):
        return
    Objects(api, namespace).patch(
        kinds.NAMESPACE, namespace, {"metadata": {"annotations": {BEGUN: datetime.now(UTC).isoformat()}}}
    )
    old = _old(api, namespace)
    for name in old:
        with suppress(NotFound):  # it was on its way out
            Objects(api, name).clear()
            api.request("DELETE", kinds.NAMESPACE.path("", name))
    with suppress(TimedOut):  # no lesson is kept from beginning by what another has left
        waiting.until(lambda: _left(api, old), "What earlier lessons left is still there", GONE_SECONDS)


def _old(api: Api, namespace: str) -> list[str]:
    """The namespaces that have to go, sorted."""
    found = api.request("GET", kinds.NAMESPACE.path(""), {"labelSelector": f"{MANAGED_BY}=kubelab"}).get("items") or []
    begun: dict[str, str] = {}
    found = [each for each in found if "deletionTimestamp" not in each["metadata"]]
    for each in found:
        if base := _base(each["metadata"]["name"]):
            begun[base] = max(begun.get(base, ""), _when(each))
    begun.pop(_base(namespace), None)
    staying = sorted(begun, key=lambda base: begun[base])[-KEPT:]
    return sorted(
        name for each in found if (base := _base(name := each["metadata"]["name"])) in begun and base not in staying
    )


def _base(name: str) -> str:
    match = _OURS.fullmatch(name)
    return match["base"] if match else ""


def _when(namespace: Object) -> str:
    meta = namespace["metadata"]
    return (meta.get("annotations") or {}).get(BEGUN) or meta.get("creationTimestamp") or ""


def _left(api: Api, names: list[str]) -> waiting.Seen:
    left = [name for name in names if _is_there(api, name)]
    return waiting.Seen(not left, ", ".join(left))


def _is_there(api: Api, name: str) -> bool:
    try:
        api.request("GET", kinds.NAMESPACE.path("", name))
    except NotFound:
        return False
    return True
