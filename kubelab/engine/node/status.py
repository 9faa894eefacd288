"""A pod's status out of its containers' records: phase and conditions as kubelet computes them.

Sources: kubernetes.io, "Pod Lifecycle"; KEP-3085 (PodReadyToStartContainers); KEP-5067 (observedGeneration).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kubelab.engine.client import Object
from kubelab.engine.node.clock import parse
from kubelab.engine.node.records import ContainerRecord

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass
class PodRecord:
    """A pod as its node knows it."""

    pod: Object
    containers: list[ContainerRecord]
    host_ip: str
    ip: str = ""
    started_at: str = ""
    sandbox: bool = False
    """Whether its network is up."""
    ended: bool = False
    """Whether it was told to stop and every container has."""
    failure: Object = field(default_factory=dict)
    """``reason`` and ``message`` for which its node has ended the pod itself."""
    conditions: dict[str, Object] = field(default_factory=dict)
    """The last ones told, for their transition times."""

    @property
    def full_name(self) -> str:
        """As kubelet's messages name it."""
        meta = self.pod["metadata"]
        return f"{meta['name']}_{meta['namespace']}({meta['uid']})"

    def active_seconds_left(self, now: datetime) -> float:
        """Until its ``activeDeadlineSeconds`` are over; infinite without."""
        limit = float(self.pod["spec"].get("activeDeadlineSeconds") or "inf")
        return limit - (now - parse(self.started_at)).total_seconds()

    @property
    def inits(self) -> list[ContainerRecord]:
        """The init containers, sidecars among them."""
        return [record for record in self.containers if record.init]

    @property
    def mains(self) -> list[ContainerRecord]:
        """The containers proper."""
        return [record for record in self.containers if not (record.init or record.ephemeral)]

    @property
    def ephemerals(self) -> list[ContainerRecord]:
        """What ``kubectl debug`` has added."""
        return [record for record in self.containers if record.ephemeral]


def restart_policy(pod: Object) -> str:
    """Always, OnFailure or Never."""
    return str(pod["spec"].get("restartPolicy") or "Always")


def phase(record: PodRecord) -> str:
    """Pending, Running, Succeeded or Failed."""
    if record.failure and record.ended:
        return "Failed"
    policy = restart_policy(record.pod)
    initial = _phase_of_inits(record, policy)
    if initial is not None:
        return initial
    mains = record.mains
    running = [each for each in mains if "running" in each.state]
    stopped = [each for each in mains if each.exit_code is not None]
    if len(running) + len(stopped) < len(mains):
        return "Pending"
    if running:
        return "Running"
    succeeded = all(each.exit_code == 0 for each in stopped)
    if record.ended or policy == "Never":
        return "Succeeded" if succeeded else "Failed"
    return "Succeeded" if policy == "OnFailure" and succeeded else "Running"


def _phase_of_inits(record: PodRecord, policy: str) -> str | None:
    """The phase as long as initialisation decides it."""
    if any("running" in each.state or each.exit_code is not None for each in record.mains):
        return None
    for each in record.inits:
        code = None if each.sidecar else each.exit_code
        if not each.sidecar and code not in (None, 0) and (policy == "Never" or record.ended):
            return "Failed"
        if not (each.started if each.sidecar else "terminated" in each.state and code == 0):
            return "Failed" if record.ended else "Pending"
    return "Failed" if record.ended else None


def conditions(record: PodRecord, phase: str, now: str) -> list[Object]:
    """Every condition: kubelet's own in its order, and those of others untouched."""
    pod = record.pod
    present = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    ready = _containers_ready(record, phase)
    wanted: dict[str, Object] = {
        "PodReadyToStartContainers": {"status": _text(record.sandbox)},
        "Initialized": _initialized(record, phase),
        "Ready": _pod_ready(pod, ready, present),
        "ContainersReady": ready,
        "PodScheduled": {"status": "True"},
    }
    told = []
    for kind, condition in wanted.items():
        known = record.conditions.get(kind) or present.get(kind)
        since = known["lastTransitionTime"] if known and known["status"] == condition["status"] else now
        told.append({"type": kind, **condition, "lastProbeTime": None, "lastTransitionTime": since})
        if "generation" in pod["metadata"]:
            told[-1]["observedGeneration"] = pod["metadata"]["generation"]
    record.conditions = {each["type"]: each for each in told}
    return [*told, *(each for kind, each in present.items() if kind not in OWN_CONDITIONS)]


def _text(truth: bool) -> str:
    return "True" if truth else "False"


def _containers_ready(record: PodRecord, phase: str) -> Object:
    if phase in ("Succeeded", "Failed"):
        return {"status": "False", "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
    counted = [*(each for each in record.inits if each.sidecar), *record.mains]
    unready = [each.name for each in counted if not each.ready]
    if not unready:
        return {"status": "True"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"status": "False", "reason": "ContainersNotReady", "message": message}


def _pod_ready(pod: Object, containers: Object, present: dict[str, Object]) -> Object:
    if containers["status"] != "True":
        return dict(containers)
    missing = []
    for gate in pod["spec"].get("readinessGates") or ():
        kind = gate["conditionType"]
        if kind not in present:
            missing.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif present[kind]["status"] != "True":
            status = present[kind]["status"]
            missing.append(f'the status of pod readiness gate "{kind}" is not "True", but {status}')
    if missing:
        return {"status": "False", "reason": "ReadinessGatesNotReady", "message": ", ".join(missing)}
    return {"status": "True"}


def _initialized(record: PodRecord, phase: str) -> Object:
    if phase == "Succeeded":
        return {"status": "True", "reason": "PodCompleted"}
    if any("running" in each.state or each.exit_code is not None for each in record.mains):
        return {"status": "True"}
    incomplete = [each.name for each in record.inits if not (each.started if each.sidecar else each.ready)]
    if not incomplete:
        return {"status": "True"}
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return {"status": "False", "reason": "ContainersNotInitialized", "message": message}


def pod_status(record: PodRecord, now: str) -> Object:
    """The whole status, ready to be written."""
    now_phase = phase(record)
    status: Object = {
        "phase": now_phase,
        "conditions": conditions(record, now_phase, now),
        "hostIP": record.host_ip,
        "hostIPs": [{"ip": record.host_ip}],
        "startTime": record.started_at or now,
        "containerStatuses": _statuses(record.mains),
    }
    record.started_at = status["startTime"]
    if record.ip:
        status |= {"podIP": record.ip, "podIPs": [{"ip": record.ip}]}
    if record.inits:
        status["initContainerStatuses"] = _statuses(record.inits)
    if record.ephemerals:
        status["ephemeralContainerStatuses"] = _statuses(record.ephemerals)
    if now_phase == "Failed":
        status |= record.failure
    if "generation" in record.pod["metadata"]:
        status["observedGeneration"] = record.pod["metadata"]["generation"]
    return status


def _statuses(records: Sequence[ContainerRecord]) -> list[Object]:
    # Sorted by name as kubelet does for containers; init containers keep their order there.
    ordered = records if records and records[0].init else sorted(records, key=lambda each: each.name)
    return [each.status() for each in ordered]
