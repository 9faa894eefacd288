"""Pods as a lesson shows them: under a short name that is the same on every run.

A Deployment's pods have random names (``web-6d4cf56db6-7xk2p``); a lesson calls them ``web-1``, ``web-2`` … in the
order of their creation. The number stays with the pod for as long as the `Lab` lives, and a pod that comes later gets
the next one: when ``web-1`` is deleted, its successor is ``web-4``, which is another pod.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import overload

from kubelab.lab.api import Object


@dataclass(frozen=True)
class Pod:
    """One pod as it was when asked for."""

    alias: str
    name: str
    uid: str
    ip: str
    node: str
    ready: bool
    terminating: bool
    restarts: int
    phase: str
    port: int
    """The first port that its containers declare; 80 when they declare none."""
    problem: str = field(default="", compare=False)
    """Why it is not ready, when a container says so: ``ErrImagePull`` …"""

    def __repr__(self) -> str:
        state = "terminating" if self.terminating else "ready" if self.ready else self.problem or "not ready"
        return f"Pod({self.alias}, {state})"


class Pods(Sequence[Pod]):
    """Several pods, in the order of their aliases."""

    def __init__(self, pods: Iterable[Pod]) -> None:
        self._pods = tuple(pods)

    @overload
    def __getitem__(self, index: int) -> Pod: ...
    @overload
    def __getitem__(self, index: slice) -> Pods: ...
    def __getitem__(self, index: int | slice) -> Pod | Pods:
        return Pods(self._pods[index]) if isinstance(index, slice) else self._pods[index]

    def __len__(self) -> int:
        return len(self._pods)

    def __iter__(self) -> Iterator[Pod]:
        return iter(self._pods)

    @property
    def names(self) -> Mapping[str, str]:
        """Alias → the pod's real name."""
        return {pod.alias: pod.name for pod in self._pods}

    @property
    def ips(self) -> frozenset[str]:
        """The addresses, those of pods that have one."""
        return frozenset(pod.ip for pod in self._pods if pod.ip)

    def __repr__(self) -> str:
        return "Pods(" + ", ".join(repr(pod)[4:-1].replace(", ", " ") for pod in self._pods) + ")"


class Aliases:
    """Short names for pods, given out once. Safe to use from several threads."""

    def __init__(self) -> None:
        self._by_uid: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        self._by_address: dict[str, str] = {}
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()

    def view(self, objects: Iterable[Object]) -> Pods:
        """The pods, each with its alias; pods that are new get theirs in the order of creation."""
        with self._lock:
            ordered = sorted(
                objects, key=lambda pod: (pod["metadata"].get("creationTimestamp") or "", pod["metadata"]["name"])
            )
            pods = [_pod(pod, self._alias(pod)) for pod in ordered]
            self._by_address.update((pod.ip, pod.alias) for pod in pods if pod.ip)
            return Pods(sorted(pods, key=lambda pod: natural(pod.alias)))

    def of_name(self, pod_name: str) -> str | None:
        """The alias of a pod that has been seen, by its real name."""
        with self._lock:
            return self._by_name.get(pod_name)

    def of_address(self, address: str) -> str | None:
        """The alias of the pod that was last seen with an address; it may be gone."""
        with self._lock:
            return self._by_address.get(address)

    def _alias(self, pod: Object) -> str:
        uid = pod["metadata"]["uid"]
        if uid not in self._by_uid:
            self._by_uid[uid] = self._by_name[pod["metadata"]["name"]] = self._next(pod)
        return self._by_uid[uid]

    def _next(self, pod: Object) -> str:
        base = workload(pod)
        if base is None:
            return pod["metadata"]["name"]
        self._given[base] = self._given.get(base, 0) + 1
        return f"{base}-{self._given[base]}"


def natural(text: str) -> tuple[str, int]:
    """A key that puts ``web-10`` after ``web-9``."""
    stem, _, number = text.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (text, 0)


def workload(pod: Object) -> str | None:
    """The Deployment or other workload that a pod with a random name belongs to; None when its name is its own."""
    metadata = pod["metadata"]
    for owner in metadata.get("ownerReferences") or ():
        if owner["kind"] == "StatefulSet":
            return None
        suffix = "-" + (metadata.get("labels") or {}).get("pod-template-hash", "")
        return owner["name"].removesuffix(suffix) if owner["kind"] == "ReplicaSet" else owner["name"]
    return None


def _pod(pod: Object, alias: str) -> Pod:
    status, spec, metadata = pod.get("status") or {}, pod["spec"], pod["metadata"]
    containers = status.get("containerStatuses") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or ())
    ports = [port["containerPort"] for container in spec["containers"] for port in container.get("ports") or ()]
    return Pod(
        alias=alias,
        name=metadata["name"],
        uid=metadata["uid"],
        ip=status.get("podIP", ""),
        node=spec.get("nodeName", ""),
        ready=ready,
        terminating="deletionTimestamp" in metadata,
        restarts=sum(container.get("restartCount", 0) for container in containers),
        phase=status.get("phase", ""),
        port=ports[0] if ports else 80,
        problem=next(filter(None, map(_waiting_reason, containers)), ""),
    )


def _waiting_reason(container: Object) -> str:
    waiting = (container.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    if reason in ("", "ContainerCreating", "PodInitializing"):
        return ""
    return f"{reason}: {waiting['message']}" if waiting.get("message") else reason
