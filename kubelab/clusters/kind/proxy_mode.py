"""kube-proxy's mode on kind: asked of the nodes, switched in kube-proxy's own configuration.

kube-proxy in mode nftables removes what the others left, and the others remove nftables' tables; between iptables and
ipvs nobody does (kube-proxy 1.36). There each node's kube-proxy is told to clean up (``kube-proxy --cleanup``) just
before it is replaced by one of the new mode.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

import yaml

from kubelab.clusters.base import ClusterError, ProxyMode
from kubelab.clusters.kind.access import Access
from kubelab.clusters.kind.commands import last_line
from kubelab.clusters.kind.nodes import KindNode
from kubelab.engine.client import Client, Object, Resource, now
from kubelab.engine.client.resources import CONFIGMAPS

DAEMONSETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
NAMESPACE, NAME, KEY = "kube-system", "kube-proxy", "config.conf"
ASK = ("curl", "--silent", "--max-time", "5", "http://127.0.0.1:10249/proxyMode")
_HEALTHY = ("curl", "--silent", "--fail", "--max-time", "5", "http://127.0.0.1:10256/healthz")
"""Answered with 200 when the first rules are loaded."""
ROLLOUT_SECONDS = 90.0
FIRST_RULES_SECONDS = 20.0
CLEANUP_SECONDS = 60.0
PAUSE_SECONDS = 0.3
_HAS_IPVS = "[ -e /proc/net/ip_vs ] || grep -q ^ip_vs /proc/modules || modprobe -n -q ip_vs"
_CLEANUP = 'exec crictl exec "$(crictl ps --quiet --name kube-proxy | head -n 1)" /usr/local/bin/kube-proxy --cleanup'


def modes(nodes: Sequence[KindNode]) -> dict[str, str]:
    """Node → what its kube-proxy says it serves by; empty where it says nothing."""
    asked = {node.name: node.run(ASK, timeout_seconds=10) for node in nodes}
    return {name: done.stdout.strip() if done.code == 0 else "" for name, done in asked.items()}


def one_mode(said: Mapping[str, str]) -> ProxyMode:
    """What all say. Raises `ClusterError` when they do not agree."""
    if len(found := set(said.values())) != 1 or "" in found:
        each = ", ".join(f"{name} says {mode or 'nothing'}" for name, mode in said.items())
        raise ClusterError(f"The nodes' kube-proxies do not agree on a mode ({each}); try again in a moment.")
    return cast("ProxyMode", found.pop())


def switch(access: Access, nodes: Sequence[KindNode], mode: ProxyMode) -> None:
    """Returns when all nodes serve by ``mode``. Raises `ClusterError`: then they serve as before."""
    before = one_mode(modes(nodes))
    if before == mode:
        return
    if mode == "ipvs" and (without := [node.name for node in nodes if node.run(["sh", "-c", _HAS_IPVS]).code]):
        raise ClusterError(
            f"The kernel under {without[0]} has no IPVS (module ip_vs), and kube-proxy would end at its start: "
            "`sudo modprobe ip_vs` on the machine, if its kernel has it; the embedded cluster needs no such module."
        )
    try:
        _change(access, nodes, before, mode, _clean)
    except ClusterError as error:
        _change(access, nodes, mode, before, _clean_if_it_runs)
        raise ClusterError(
            f"kube-proxy could not switch to {mode}, all nodes serve by {before} again: {error}"
        ) from error


def _change(
    access: Access, nodes: Sequence[KindNode], before: str, mode: str, clean: Callable[[KindNode], None]
) -> None:
    async def configure(client: Client) -> None:
        found = await client.get(CONFIGMAPS, NAME, NAMESPACE)
        patch = {"data": {KEY: with_mode(found["data"][KEY], mode)}}
        await client.patch(CONFIGMAPS, NAME, patch, NAMESPACE)

    access.ask(configure, timeout_seconds=30, doing="Changing kube-proxy's configuration")
    if "nftables" not in (before, mode):
        for node in nodes:
            clean(node)
    access.ask(_restart, timeout_seconds=ROLLOUT_SECONDS, doing="Restarting kube-proxy on all nodes")
    deadline = time.monotonic() + FIRST_RULES_SECONDS
    while not all(_serves_by(mode, node) for node in nodes):
        if time.monotonic() > deadline:
            said = ", ".join(f"{name} says {each or 'nothing'}" for name, each in modes(nodes).items())
            raise ClusterError(f"{said}, or has not loaded its rules after {FIRST_RULES_SECONDS:g} s.")
        time.sleep(PAUSE_SECONDS)


def _serves_by(mode: str, node: KindNode) -> bool:
    return modes([node])[node.name] == mode and node.run(_HEALTHY, timeout_seconds=10).code == 0


def with_mode(text: str, mode: str) -> str:
    """kube-proxy's configuration with another mode."""
    configuration = yaml.safe_load(text)
    return yaml.safe_dump(configuration | {"mode": mode}, sort_keys=False)


def _clean(node: KindNode) -> None:
    done = node.run(["sh", "-c", _CLEANUP], timeout_seconds=CLEANUP_SECONDS)
    if done.code:
        raise ClusterError(f"the rules of the old mode could not be removed on {node.name}: {last_line(done.stderr)}.")


def _clean_if_it_runs(node: KindNode) -> None:
    """A kube-proxy that has ended at its start cannot be told, and has loaded nothing."""
    with suppress(ClusterError):
        _clean(node)


async def _restart(client: Client) -> None:
    """As ``kubectl rollout restart`` does, and wait until it is done."""
    stamp = {"kubectl.kubernetes.io/restartedAt": now()}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    wanted = (await client.patch(DAEMONSETS, NAME, patch, NAMESPACE))["metadata"]["generation"]
    while not _rolled_out(await client.get(DAEMONSETS, NAME, NAMESPACE), wanted):  # noqa: ASYNC110
        await asyncio.sleep(PAUSE_SECONDS)


def _rolled_out(daemon_set: Object, generation: int) -> bool:
    status = daemon_set.get("status") or {}
    desired = status.get("desiredNumberScheduled", 0)
    return (
        status.get("observedGeneration", 0) >= generation
        and status.get("updatedNumberScheduled", 0) == desired
        and status.get("numberAvailable", 0) == desired
    )
