"""One pod like the lessons', before any of them waits for it: is it let in, is its image there, does it run?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing.access import Access, Object, Refused
from kubelab.clusters.existing.labelled import LABEL

IMAGE = "python:3.12"
"""What the lessons' pods run, as they are written."""
NAME = "kubelab-trial"
SECONDS = 300.0
"""For a gigabyte over a slow line."""
LOOK_EVERY_SECONDS = 0.3
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable")
_PROGRAM = "import http.server, ssl, sys; sys.exit(sys.version_info < (3, 11))"


def refusal(access: Access, namespace: str, image: str) -> str:
    """Why a pod would be refused: Pod Security, a quota, a policy. A dry run, which makes nothing; empty: it is not."""
    try:
        access.ask("POST", f"/api/v1/namespaces/{namespace}/pods", {"dryRun": "All"}, _pod(image))
    except Refused as error:
        # Rights and the namespace are other questions, which have sentences of their own.
        return "" if error.status in (404, 409) or "cannot create resource" in str(error) else str(error)
    return ""


def run(
    access: Access,
    namespace: str,
    image: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Let the pod run to its end, and take it away. Raises `ClusterError` with what the pod says."""
    pods = f"/api/v1/namespaces/{namespace}/pods"
    _take_away(access, f"{pods}/{NAME}")
    access.ask("POST", pods, body=_pod(image))
    deadline, said = clock() + SECONDS, ""
    try:
        while clock() < deadline:
            pod = access.ask("GET", f"{pods}/{NAME}")
            if (pod.get("status") or {}).get("phase") == "Succeeded":
                return
            said = _complaint(pod, image or IMAGE)
            sleep(LOOK_EVERY_SECONDS)
    finally:
        _take_away(access, f"{pods}/{NAME}")
    raise ClusterError(
        f"A trial pod in {namespace} did not come to its end within {SECONDS:g} s (last seen: {said or 'nothing'}); "
        "`kubelab kubectl get events` says more, and another `kubelab up --on existing` tries again."
    )


def _complaint(pod: Object, image: str) -> str:
    """What the pod waits for, in its own words. Raises `ClusterError` for what waiting does not mend."""
    status = pod.get("status") or {}
    state = next(((each.get("state") or {}) for each in status.get("containerStatuses") or ()), {})
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    if waiting.get("reason") in _NO_IMAGE:
        why = f"{waiting['reason']}: {waiting.get('message', 'no reason given')}"
        raise ClusterError(
            f"The nodes cannot fetch the image {image} ({why}); "
            "name one that they can with `kubelab up --on existing --image REGISTRY/python:3.12`."
        )
    if ended or status.get("phase") == "Failed":
        why = ended.get("message") or status.get("message") or ended.get("reason") or "it does not say why"
        raise ClusterError(f"The image {image} is not one with Python 3.11 or newer, as lessons need it ({why}).")
    placed: Object = next((each for each in status.get("conditions") or () if each.get("type") == "PodScheduled"), {})
    if placed.get("status") == "False":
        return f"no node takes it: {placed.get('message', '')}"
    return waiting.get("reason") or status.get("phase") or ""


def _pod(image: str) -> Object:
    container = {"name": "trial", "image": image or IMAGE, "command": ["python3", "-c", _PROGRAM]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "labels": {LABEL: "kubelab"}},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def _take_away(access: Access, path: str) -> None:
    """The trial's pod of now or of before, if it is one."""
    with contextlib.suppress(Refused):
        labels = access.ask("GET", path)["metadata"].get("labels") or {}
        if labels.get(LABEL) == "kubelab":
            access.ask("DELETE", path, {"gracePeriodSeconds": "0"})
