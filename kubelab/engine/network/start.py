"""`start_network`: the first tier that works, or the one that is wanted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from kubelab.engine.network.agent.backend import TierUnusable
from kubelab.engine.network.contract import Tier
from kubelab.engine.network.launch import Agent, launch
from kubelab.engine.network.remote import AgentNetwork
from kubelab.engine.network.tiers import TIERS, forced_tier


class NoNetwork(Exception):
    """No tier works here, or not the wanted one. The message is one sentence and says what to do."""


async def start_network(state: Path, tier: Tier | None = None) -> AgentNetwork:
    """Start a network, empty but for the outside place.

    ``state`` is the engine's state directory; the agent gets ``state/network`` of it. Without ``tier``, what
    ``KUBELAB_TIER`` demands, else the first that works of root, user, interposed. Raises `NoNetwork`.
    """
    try:
        wanted = tier or forced_tier()
    except ValueError as error:
        raise NoNetwork(str(error)) from error
    folder = state / "network"
    starting = asyncio.ensure_future(asyncio.to_thread(_first_that_works, (wanted,) if wanted else TIERS, folder))
    try:
        agent = await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(NoNetwork):  # a start cannot be broken off: let it be over, and end what it began
            await AgentNetwork(await starting, folder).close()
        raise
    return AgentNetwork(agent, folder)


def _first_that_works(tiers: tuple[Tier, ...], folder: Path) -> Agent:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    refused: list[tuple[Tier, TierUnusable]] = []
    for tier in tiers:
        try:
            return launch(tier, folder.absolute())
        except TierUnusable as unusable:
            refused.append((tier, unusable))
    if len(refused) == 1:
        tier, why = refused[0]
        raise NoNetwork(f"The {tier} network does not work here: {why.reason}; to lift that: {why.remedy}.")
    reasons = "; ".join(f"{tier}: {why.reason}" for tier, why in refused)
    raise NoNetwork(f"No network works here ({reasons}): see kubelab doctor for what would lift it.")
