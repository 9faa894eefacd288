"""Keeps the rules of every node in step with NetworkPolicies, pods and namespaces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from kubelab.engine.client import Client, Informer, Object
from kubelab.engine.client.resources import NAMESPACES, NETWORKPOLICIES, PODS
from kubelab.engine.network.contract import Finished, NetworkLost
from kubelab.engine.policy.isolation import isolated, pods_of
from kubelab.engine.policy.rules import script

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
"""Changes that come together are loaded together."""
AGAIN_SECONDS = 5.0
"""After rules that could not be loaded."""

RunOn = Callable[[str, Sequence[str], bytes], Awaitable[Finished]]
"""``await run(node, argv, stdin)``."""


class NetworkPolicies:
    """Run it with ``await run()``, which ends by cancellation only. While there is no policy it does nothing.

    Pods are followed only as long as there are policies: most lessons have none.
    """

    def __init__(self, client: Client, nodes: Sequence[str], run: RunOn) -> None:
        self._client = client
        self._run = run
        self._policies = Informer(client, NETWORKPOLICIES)
        self._changed = asyncio.Event()
        self._loaded = {node: script(()) for node in nodes}

    async def run(self) -> None:
        """Follow and load until cancelled."""
        self._policies.listen(lambda old, new: self._changed.set())
        async with asyncio.TaskGroup() as group:
            group.create_task(self._policies.run())
            await self._policies.synced()
            while True:
                self._changed.clear()
                if self._policies.all():
                    await self._enforce()
                else:
                    await self._changed.wait()

    async def _enforce(self) -> None:
        """Until there is no policy any more, and what they loaded is gone."""
        pods, namespaces = Informer(self._client, PODS), Informer(self._client, NAMESPACES)
        for informer in (pods, namespaces):
            informer.listen(self._when_it_matters)
        async with asyncio.TaskGroup() as group:
            following = [group.create_task(informer.run()) for informer in (pods, namespaces)]
            for informer in (pods, namespaces):
                await informer.synced()
            while True:
                self._changed.clear()
                policies = self._policies.all()
                done = await self._load(policies, pods.all(), namespaces.all())
                if done and not policies:
                    break
                try:
                    await asyncio.wait_for(self._changed.wait(), None if done else AGAIN_SECONDS)
                except TimeoutError:
                    continue
                await asyncio.sleep(GATHER_SECONDS)
            for task in following:
                task.cancel()

    def _when_it_matters(self, old: Object | None, new: Object | None) -> None:
        if _facts(old) != _facts(new):
            self._changed.set()

    async def _load(self, policies: list[Object], pods: list[Object], namespaces: list[Object]) -> bool:
        """Load what has changed; whether every node took it."""
        labels = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in namespaces}
        judged = list(isolated(policies, pods_of(pods), labels))
        done = True
        for node, before in self._loaded.items():
            wanted = script(one for one in judged if one.pod.node == node)
            if wanted != before:
                done &= await self._load_on(node, wanted)
        return done

    async def _load_on(self, node: str, wanted: str) -> bool:
        try:
            finished = await self._run(node, ("nft", "-f", "-"), wanted.encode())
        except (OSError, NetworkLost) as error:
            log.error("the network policies of %s are not enforced: %s", node, error)
            return False
        if finished.code:
            log.error("the network policies of %s are not enforced: nft says: %s", node, finished.stderr.strip())
            return False
        self._loaded[node] = wanted
        return True


def _facts(obj: Object | None) -> object:
    """Of a pod or a namespace what a policy can depend on."""
    if obj is None:
        return None
    status = obj.get("status") or {}
    return obj["metadata"].get("labels"), status.get("podIP"), status.get("phase")
