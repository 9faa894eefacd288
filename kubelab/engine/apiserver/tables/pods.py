"""The pod table: a pod's state in one word."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables.cells import AGE, NAME, NONE, Column, age, duration, wide
from kubelab.engine.apiserver.times import parse_time

POD_COLUMNS = (
    NAME,
    Column("Ready", description="The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", description="The aggregate status of the containers in this pod."),
    Column("Restarts", description="The number of times the containers in this pod have been restarted and when the "
                                   "last container in this pod has restarted."),
    AGE,
    wide("IP", "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated."),
    wide("Node", "NodeName indicates in which node this pod is scheduled."),
    wide("Nominated Node", "nominatedNodeName is set only when this pod preempts other pods on the node, but it "
                           "cannot be scheduled right away."),
    wide("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness."),
)  # fmt: skip

Status = dict[str, Any]


def pod_cells(pod: Object, now: float) -> list[Any]:
    """Ready containers, state, restarts, age, and where it runs."""
    spec, status = pod["spec"], pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or ""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    initialising, init_reason, restarts, last = _init_state(spec, status)
    ready = _ready_sidecars(spec, status)
    total = len(spec.get("containers") or []) + len(_sidecars(spec))
    if initialising:
        reason = init_reason
    if not initialising or _is_true(status, "Initialized"):  # a sidecar may end later, and start again
        restarts, last = _sidecar_restarts(spec, status)
        running = False
        for state in reversed(status.get("containerStatuses") or []):
            restarts += state.get("restartCount", 0)
            last = max(last, _finished(state))
            word = _state_word(state.get("state") or {})
            reason = word or reason
            if not word and state.get("ready") and "running" in (state.get("state") or {}):
                running = True
                ready += 1
        if reason == "Completed" and running:
            reason = "Running" if _is_true(status, "Ready") else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        lost = status.get("reason") == "NodeLost"
        finished = status.get("phase") in ("Succeeded", "Failed")
        reason = "Unknown" if lost else reason if finished else "Terminating"
    shown = f"{restarts} ({duration(now - last)} ago)" if restarts and last else str(restarts)
    ips = status.get("podIPs") or []
    gates = spec.get("readinessGates") or []
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        reason,
        shown,
        age(pod, now),
        (ips[0].get("ip") if ips else status.get("podIP")) or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        _gates(gates, status) if gates else NONE,
    ]


def _gates(gates: list[Status], status: Status) -> str:
    true = {condition["type"] for condition in status.get("conditions") or [] if condition.get("status") == "True"}
    return f"{sum(gate['conditionType'] in true for gate in gates)}/{len(gates)}"


def _is_true(status: Status, kind: str) -> bool:
    conditions = status.get("conditions") or []
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in conditions)


def _finished(state: Status) -> float:
    ended = ((state.get("lastState") or {}).get("terminated") or {}).get("finishedAt")
    return parse_time(ended) if ended else 0.0


def _state_word(state: Status) -> str:
    waiting, ended = state.get("waiting"), state.get("terminated")
    if waiting and waiting.get("reason"):
        return waiting["reason"]
    return _ended_word(ended) if ended else ""


def _ended_word(ended: Status) -> str:
    if ended.get("reason"):
        return ended["reason"]
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _sidecars(spec: Status) -> set[str]:
    return {one["name"] for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"}


def _ready_sidecars(spec: Status, status: Status) -> int:
    sidecars = _sidecars(spec)
    states = status.get("initContainerStatuses") or []
    return sum(
        state["name"] in sidecars and bool(state.get("started")) and bool(state.get("ready")) for state in states
    )


def _sidecar_restarts(spec: Status, status: Status) -> tuple[int, float]:
    sidecars = _sidecars(spec)
    states = [state for state in status.get("initContainerStatuses") or [] if state["name"] in sidecars]
    return sum(state.get("restartCount", 0) for state in states), max(map(_finished, states), default=0.0)


def _init_state(spec: Status, status: Status) -> tuple[bool, str, int, float]:
    sidecars = _sidecars(spec)
    restarts, last = 0, 0.0
    total = len(spec.get("initContainers") or [])
    for index, state in enumerate(status.get("initContainerStatuses") or []):
        restarts += state.get("restartCount", 0)
        last = max(last, _finished(state))
        now = state.get("state") or {}
        ended, waiting = now.get("terminated"), now.get("waiting")
        if ended and ended.get("exitCode", 0) == 0:
            continue
        if state["name"] in sidecars and state.get("started"):
            continue
        if ended:
            return True, f"Init:{_ended_word(ended)}", restarts, last
        if waiting and waiting.get("reason") not in (None, "", "PodInitializing"):
            return True, f"Init:{waiting['reason']}", restarts, last
        return True, f"Init:{index}/{total}", restarts, last
    return False, "", restarts, last
