"""Which pods of a DaemonSet to make and which to delete now.

https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/, KEP-1591 for ``maxSurge``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from kubelab.engine.client import Object
from kubelab.engine.controllers.daemonset.placement import should_run
from kubelab.engine.controllers.history import REVISION_LABEL
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.owners import is_being_deleted
from kubelab.engine.controllers.pods import is_available, is_finished
from kubelab.engine.controllers.portions import in_pods


class Steps(NamedTuple):
    """Names of nodes that get a pod, pods that go, and pods that ended by themselves and have to go too."""

    create: list[str]
    delete: list[Object]
    ended: list[Object]


class Daemons:
    """A DaemonSet and its pods (by node, the oldest first) at one moment.

    ``revision`` is the hash of the present template.
    """

    def __init__(
        self,
        daemonset: Object,
        nodes: Sequence[Object],
        pods: Mapping[str, list[Object]],
        revision: str,
        now: datetime,
    ) -> None:
        self._spec = daemonset["spec"]
        self._pods = pods
        self._revision = revision
        self._now = now
        self._suits = {node["metadata"]["name"]: should_run(daemonset, node) for node in nodes}

    def keep_up(self) -> Steps:
        """The steps that give every node its one pod, of whichever revision."""
        steps = Steps([], [], [])
        for node, (wanted, may_stay) in self._suits.items():
            here = self._pods.get(node, [])
            if not may_stay:
                steps.delete.extend(_staying(here))
            elif not here:
                steps.create.extend([node] if wanted else [])
            else:
                steps.ended.extend(pod for pod in _staying(here) if is_finished(pod))
                steps.delete.extend(self._surplus([pod for pod in _staying(here) if not is_finished(pod)]))
        return steps

    def _surplus(self, running: Sequence[Object]) -> list[Object]:
        """All but the oldest; with surge, the oldest of the present revision beside an older one that still serves."""
        new = [pod for pod in running if self._is_new(pod)]
        old = [pod for pod in running if not self._is_new(pod)]
        if not self._limits()[0] or not new or not old:
            return list(running[1:])
        spared = self._is_available(old[0]) and not self._is_available(new[0])
        return [*new[1:], *(old[1:] if spared else old)]

    def roll(self) -> Steps:
        """The steps of a rolling update that may be taken now."""
        surge, unavailable = self._limits()
        return self._surge(surge) if surge else self._replace(unavailable)

    def _replace(self, most: int) -> Steps:
        """Delete old pods, the unavailable ones first, as long as no more than ``most`` nodes are without."""
        missing = 0
        broken: list[Object] = []
        candidates: list[Object] = []
        for node in self._wanted():
            new, old = self._updated_on(node)
            if (new is None) == (old is None):
                missing += 1  # the other step makes or removes one here
            elif old is None:
                missing += not self._is_available(new)
            elif not self._is_available(old):
                broken.append(old)
                missing += 1
            else:
                candidates.append(old)
        return Steps([], [*broken, *candidates[: max(0, most - missing)]], [])

    def _surge(self, most: int) -> Steps:
        """Make new pods beside old ones, on no more than ``most`` nodes at once."""
        surging = 0
        broken: list[str] = []
        candidates: list[str] = []
        for node in self._wanted():
            new, old = self._updated_on(node)
            if old is None:
                continue
            if new is not None:
                surging += 1
            else:
                (candidates if self._is_available(old) else broken).append(node)
        return Steps([*broken, *candidates[: max(0, most - surging - len(broken))]], [], [])

    def _updated_on(self, node: str) -> tuple[Object | None, Object | None]:
        running = _staying(self._pods.get(node, []))
        new = next((pod for pod in running if self._is_new(pod)), None)
        return new, next((pod for pod in running if not self._is_new(pod)), None)

    def _limits(self) -> tuple[int, int]:
        """``(maxSurge, maxUnavailable)`` in pods of the nodes that should have one, both rounded up."""
        asked, total = self._spec["updateStrategy"].get("rollingUpdate") or {}, len(self._wanted())
        surge = in_pods(asked.get("maxSurge", 0), total, round_up=True)
        return surge, in_pods(asked.get("maxUnavailable", 1), total, round_up=True)

    def _wanted(self) -> list[str]:
        return [node for node, (wanted, _) in self._suits.items() if wanted]

    def _is_new(self, pod: Object | None) -> bool:
        return pod is not None and labels_of(pod).get(REVISION_LABEL) == self._revision

    def _is_available(self, pod: Object | None) -> bool:
        return pod is not None and is_available(pod, self._spec.get("minReadySeconds", 0), self._now)

    def counts(self) -> dict[str, int]:
        """The numbers of the status."""
        first = [self._pods[node][0] for node in self._wanted() if self._pods.get(node)]
        available = sum(map(self._is_available, first))
        always = {
            "currentNumberScheduled": len(first),
            "numberMisscheduled": sum(bool(self._pods.get(node)) for node in self._suits if node not in self._wanted()),
            "desiredNumberScheduled": len(self._wanted()),
            "numberReady": sum(is_available(pod, 0, self._now) for pod in first),
        }
        if_any = {
            "updatedNumberScheduled": sum(map(self._is_new, first)),
            "numberAvailable": available,
            "numberUnavailable": len(self._wanted()) - available,
        }
        return always | {name: number for name, number in if_any.items() if number}


def _staying(pods: Iterable[Object]) -> list[Object]:
    return [pod for pod in pods if not is_being_deleted(pod)]
