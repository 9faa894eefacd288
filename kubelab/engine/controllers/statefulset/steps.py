"""Which pods of a StatefulSet to make and which to delete now.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees and
#update-strategies there; KEP-961 for ``maxUnavailable``.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import is_available, is_finished, is_ready, phase
from kubelab.engine.controllers.portions import in_pods
from kubelab.engine.controllers.statefulset.identity import ordinal_of, ordinals, revision_of


class Steps(NamedTuple):
    """Ordinals that get a pod, pods that go, and pods that ended by themselves and have to go before their next."""

    create: list[int]
    delete: list[Object]
    ended: list[Object]


class StatefulPods:
    """A StatefulSet and its pods at one moment.

    ``current`` and ``update`` are the names of the revisions before and after the rollout that goes on; they are the
    same when none does.
    """

    def __init__(self, statefulset: Object, pods: Iterable[Object], current: str, update: str, now: datetime) -> None:
        self._statefulset = statefulset
        self._spec = statefulset["spec"]
        self._pods = {ordinal_of(statefulset, pod): pod for pod in pods}
        self._current = current
        self._update = update
        self._now = now
        self._in_order = self._spec.get("podManagementPolicy") != "Parallel"

    def keep_up(self) -> Steps:
        """The steps to the right number of pods: in order one at a time, each when those before it are available."""
        steps = Steps([], [], [])
        for ordinal in ordinals(self._statefulset):
            pod = self._pods.get(ordinal)
            if pod is None:
                steps.create.append(ordinal)
            elif is_finished(pod) and not is_being_deleted(pod):
                steps.ended.append(pod)
            elif self._is_well(pod):
                continue
            if self._in_order:
                return steps
        for pod in self._condemned():
            if not is_being_deleted(pod):
                steps.delete.append(pod)
            if self._in_order:
                return steps
        return steps

    def _condemned(self) -> list[Object]:
        """The pods beyond the wanted number, the highest first."""
        wanted = ordinals(self._statefulset)
        beyond = [(ordinal, pod) for ordinal, pod in self._pods.items() if ordinal is not None]
        return [pod for ordinal, pod in sorted(beyond, key=lambda each: -each[0]) if ordinal not in wanted]

    def roll(self) -> Steps:
        """The steps of a rolling update that may be taken now: from the highest down to the partition.

        In order, a pod that is not well holds everything up: one of a broken revision stays until somebody deletes it
        (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback).
        """
        steps = Steps([], [], [])
        if self._spec["updateStrategy"]["type"] != "RollingUpdate" or (self._in_order and not self._all_are_well()):
            return steps
        budget = self._most_unavailable()
        for ordinal in reversed(ordinals(self._statefulset)[self._partition() :]):
            pod = self._pods.get(ordinal)
            if pod is not None and revision_of(pod) != self._update and not is_being_deleted(pod):
                steps.delete.append(pod)
                budget -= 1
            elif pod is None or not self._is_well(pod):
                budget -= 1
            if budget <= 0:
                break
        return steps

    def revision_for(self, ordinal: int) -> str:
        """The revision of which a missing pod is made: below the partition that from before the rollout."""
        strategy = self._spec["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return self._update
        kept = self._partition() if strategy.get("rollingUpdate") is not None else self._status("currentReplicas")
        return self._current if ordinal < ordinals(self._statefulset).start + kept else self._update

    def counts(self) -> dict[str, int]:
        """The numbers of the status."""
        pods = self._pods.values()
        staying = [pod for pod in pods if phase(pod) and not is_being_deleted(pod)]
        numbers = {
            "readyReplicas": sum(is_ready(pod) and phase(pod) == "Running" for pod in pods),
            "currentReplicas": sum(revision_of(pod) == self._current for pod in staying),
            "updatedReplicas": sum(revision_of(pod) == self._update for pod in staying),
        }
        always = {
            "replicas": sum(bool(phase(pod)) for pod in pods),
            "availableReplicas": sum(is_ready(pod) and self._is_available(pod) for pod in pods),
        }
        return always | {name: number for name, number in numbers.items() if number}

    def is_rolled_out(self) -> bool:
        """Whether no pod of the revision before is left: then the update becomes the current one."""
        counts = self.counts()
        ready, updated = counts.get("readyReplicas", 0), counts.get("updatedReplicas", 0)
        return self._spec["updateStrategy"]["type"] == "RollingUpdate" and updated == counts["replicas"] == ready

    def _most_unavailable(self) -> int:
        asked = (self._spec["updateStrategy"].get("rollingUpdate") or {}).get("maxUnavailable", 1)
        return max(1, in_pods(asked, self._spec.get("replicas", 1), round_up=False))

    def _partition(self) -> int:
        return int((self._spec["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0))

    def _all_are_well(self) -> bool:
        pods = [self._pods.get(ordinal) for ordinal in ordinals(self._statefulset)]
        return not self._condemned() and all(pod is not None and self._is_well(pod) for pod in pods)

    def _status(self, name: str) -> int:
        return int((self._statefulset.get("status") or {}).get(name, 0))

    def _is_well(self, pod: Object) -> bool:
        return phase(pod) == "Running" and self._is_available(pod) and not is_being_deleted(pod)

    def _is_available(self, pod: Object) -> bool:
        return is_available(pod, self._spec.get("minReadySeconds", 0), self._now)
