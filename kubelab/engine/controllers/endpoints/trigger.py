"""Since when endpoints should say what they say: the annotation by which kube-proxy measures how late it is.

https://kubernetes.io/docs/reference/labels-annotations-taints/#endpoints-kubernetes-io-last-change-trigger-time
"""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Key, Object, key_of
from kubelab.engine.controllers.labels import annotations_of
from kubelab.engine.controllers.pods import ready_condition

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class TriggerTimes:
    """Remembers for each Service what was known already, so that only what is new counts."""

    def __init__(self) -> None:
        self._known: dict[Key, dict[str, str]] = {}

    def of(self, service: Object, pods: Iterable[Object]) -> str | None:
        """The earliest time at which the Service was made or a pod of it became ready or unready, if that is news."""
        now = {"": service["metadata"]["creationTimestamp"]}
        for pod in pods:
            if since := (ready_condition(pod) or {}).get("lastTransitionTime"):
                now[pod["metadata"]["name"]] = since
        known = self._known.get(key_of(service), {})
        self._known[key_of(service)] = now
        return min((time for name, time in now.items() if time > known.get(name, "")), default=None)

    def forget(self, key: Key) -> None:
        """The Service is gone."""
        self._known.pop(key, None)


def triggered(obj: Object, time: str | None) -> Object:
    """The EndpointSlice or Endpoints with that time; without one, when nothing that is known of brought the change."""
    meta = obj["metadata"]
    annotations = {key: value for key, value in annotations_of(obj).items() if key != ANNOTATION}
    if time is not None:
        annotations[ANNOTATION] = time
    others = {key: value for key, value in meta.items() if key != "annotations"}
    return {**obj, "metadata": {**others, **({"annotations": annotations} if annotations else {})}}
