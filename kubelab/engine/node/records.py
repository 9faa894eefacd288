"""What the node agent knows of a pod's containers, in the words of the API."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.node.clock import stamp

RUNTIME = "kubelab"
KILLED = 137
"""The exit code of a container that went down with the network: 128 + SIGKILL."""


@dataclass
class ContainerRecord:
    """One container of a pod, as its status will tell it."""

    spec: Object
    init: bool = False
    ephemeral: bool = False
    """Added to the running pod by ``kubectl debug``: it runs once and its pod's phase does not depend on it."""
    state: Object = field(default_factory=dict)
    last_state: Object = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restarts: int = 0
    image: str = ""
    image_id: str = ""
    container_id: str = ""

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        """A restartable init container (KEP-753)."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def exit_code(self) -> int | None:
        """Of the run that ended last, if the container does not run."""
        ended = self.state.get("terminated") or self.last_state.get("terminated")
        return None if "running" in self.state or not ended else int(ended["exitCode"])

    def waiting(self, reason: str, message: str = "") -> None:
        """It does not run, for this reason. A run that ended before becomes the last state."""
        self._keep_last()
        self.state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        self.ready = self.started = False

    def created(self, image: str, image_id: str, container_id: str) -> None:
        """A new run is about to begin; every one but the first is a restart."""
        if self.container_id:
            self.restarts += 1
            self.waiting("ContainerCreating")
        self.image, self.image_id, self.container_id = image, image_id, container_id

    def running(self, since: datetime) -> None:
        """The run has begun."""
        self._keep_last()
        self.state = {"running": {"startedAt": stamp(since)}}
        self.ready = self.started = False

    def terminated(self, code: int, at: datetime, *, reason: str = "", message: str = "") -> None:
        """The run has ended."""
        started = (self.state.get("running") or {}).get("startedAt") or stamp(at)
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason or ("Completed" if code == 0 else "Error"),
                **({"message": message} if message else {}),
                "startedAt": started,
                "finishedAt": stamp(at),
                "containerID": self.container_id,
            }
        }
        # An init container that has done its work is ready; everything else that ended is not.
        self.ready = self.init and not self.sidecar and code == 0
        self.started = False

    def _keep_last(self) -> None:
        if "terminated" in self.state:
            self.last_state = self.state

    def status(self) -> Object:
        """A ContainerStatus."""
        status: Object = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready and not self.ephemeral,  # kubelet keeps no readiness of those
            "restartCount": self.restarts,
            "image": self.image or self.spec.get("image", ""),
            "imageID": self.image_id,
            "started": self.started,
            "resources": copy.deepcopy(self.spec.get("resources") or {}),
        }
        if self.container_id:
            status["containerID"] = self.container_id
        if self.spec.get("volumeMounts"):
            status["volumeMounts"] = [_mount_status(mount) for mount in self.spec["volumeMounts"]]
        return status


def _mount_status(mount: Object) -> Object:
    status = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        status |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return status


def new_container_id() -> str:
    """A container's ID, as long as runtimes make them."""
    return f"{RUNTIME}://{uuid.uuid4().hex}{uuid.uuid4().hex}"


def records_of(pod: Object, now: datetime) -> list[ContainerRecord]:
    """The records of all containers, init containers first, continuing what the pod's status tells.

    A container that ran when its network went down has ended with 137: nobody saw how.
    """
    spec, status = pod["spec"], pod.get("status") or {}
    known = {
        each["name"]: each for kind in ("initContainerStatuses", "containerStatuses") for each in status.get(kind) or ()
    }
    inits = spec.get("initContainers") or []
    records = [ContainerRecord(each, init=True) for each in inits]
    records += [ContainerRecord(each) for each in spec["containers"]]
    for record in records:
        _continue(record, known.get(record.name), now, "PodInitializing" if inits else "ContainerCreating")
    return [*records, *(ephemeral_record(pod, each, now) for each in spec.get("ephemeralContainers") or ())]


def ephemeral_record(pod: Object, spec: Object, now: datetime) -> ContainerRecord:
    """The record of an ephemeral container, continuing what the pod's status tells."""
    known = {each["name"]: each for each in (pod.get("status") or {}).get("ephemeralContainerStatuses") or ()}
    record = ContainerRecord(spec, ephemeral=True)
    _continue(record, known.get(record.name), now, "ContainerCreating")
    return record


def _continue(record: ContainerRecord, known: Object | None, now: datetime, waiting: str) -> None:
    if known is None:
        record.waiting(waiting)
        return
    record.state = known.get("state") or {}
    record.last_state = known.get("lastState") or {}
    record.restarts = known.get("restartCount", 0)
    record.image, record.image_id = known.get("image", ""), known.get("imageID", "")
    record.container_id = known.get("containerID", "")
    if "running" in record.state:
        record.terminated(KILLED, now)
    elif "terminated" in record.state:
        record.ready = bool(known.get("ready"))
    elif not record.state:
        record.waiting(waiting)
