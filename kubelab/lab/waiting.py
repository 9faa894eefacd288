"""Waiting for the cluster to get somewhere, and saying where it was last seen when it does not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from kubelab.lab.api import Object
from kubelab.lab.conditions import conditions
from kubelab.lab.errors import TimedOut
from kubelab.lab.pods import Pods

POLL_SECONDS = 0.1


class Seen(NamedTuple):
    """One look: whether the condition holds, and what there was to see, in words."""

    holds: bool
    words: str


def until(
    look: Callable[[], Seen],
    what: str,
    timeout_seconds: float,
    *,
    still_seconds: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Look again and again until the condition holds, as long as something new is seen every ``still_seconds``.

    Raises `TimedOut`: ``what`` (``deployment/web is not available``), and the last thing seen.
    """
    last, changed = "", clock()
    deadline = changed + timeout_seconds
    while True:
        seen = look()
        if seen.holds:
            return
        now = clock()
        if seen.words != last:
            last, changed = seen.words, now
        if now >= deadline:
            raise TimedOut(f"{what} after {timeout_seconds:g} s; last seen: {seen.words}.")
        if now >= changed + still_seconds:
            raise TimedOut(f"{what}, and nothing has changed for {still_seconds:g} s; last seen: {seen.words}.")
        sleep(POLL_SECONDS)


def deployment_available(deployment: Object, pods: Pods) -> Seen:
    """Whether a rollout is done, as `kubectl rollout status` judges it, and as many pods are ready as wanted."""
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status") or {}
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    staying = [pod for pod in pods if not pod.terminating]
    holds = observed and counts == [wanted] * 3 and len(staying) == wanted and all(pod.ready for pod in staying)
    return Seen(holds, pods_in_words(pods, wanted))


def pods_ready(pods: Pods) -> Seen:
    """Whether there are pods, none is on its way out, and every one is ready."""
    return Seen(bool(pods) and all(pod.ready and not pod.terminating for pod in pods), pods_in_words(pods))


def pods_gone(pods: Pods) -> Seen:
    """Whether there is no pod any more."""
    return Seen(not pods, pods_in_words(pods))


def endpoints_ready(slices: Sequence[Object]) -> Seen:
    """Whether a Service has at least one ready endpoint (an EndpointSlice's ``ready`` missing means true)."""
    endpoints = [endpoint for piece in slices for endpoint in piece.get("endpoints") or ()]
    ready = sum((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)
    return Seen(ready > 0, f"{ready} ready of {len(endpoints)} endpoints")


def condition(object_: Object, name: str) -> Seen:
    """Whether a condition of this type (in any case) is True, and of the object as it is now (observedGeneration).

    Of a route, whose conditions stand with its parents: whether it is True at each of them.
    """
    listed = conditions("it", object_)
    own = listed.of_type(name, "it") or tuple(each for each in listed.of_type(name) if each.of.startswith("parent "))
    if own:
        worst = next((each for each in own if not each.holds), own[0])
        return Seen(all(each.holds for each in own), worst.words.removeprefix("it: "))
    return Seen(
        False, f"no condition {name!r}, but {', '.join(each.type for each in listed) or 'no conditions at all'}"
    )


def pods_in_words(pods: Pods, wanted: int | None = None) -> str:
    """``1 of 3 pods ready; web-2: ErrImagePull``."""
    ready = sum(pod.ready and not pod.terminating for pod in pods)
    terminating = sum(pod.terminating for pod in pods)
    words = [f"{ready} of {wanted if wanted is not None else len(pods)} pods ready"]
    if terminating:
        words.append(f"{terminating} terminating")
    problems = [f"{pod.alias}: {pod.problem}" for pod in pods if pod.problem]
    return "; ".join(words + problems[:3])
