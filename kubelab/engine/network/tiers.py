"""Which of the three ways to carry packets works on this machine."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from kubelab.engine.network.agent.backend import TierUnusable
from kubelab.engine.network.contract import Tier
from kubelab.engine.network.launch import launch

TIERS: tuple[Tier, ...] = get_args(Tier)
"""In the order in which they are tried."""

FORCE_VARIABLE = "KUBELAB_TIER"


@dataclass(frozen=True)
class TierReport:
    """What came of trying one tier."""

    name: Tier
    works: bool
    reason: str = ""
    """Why it does not work, one clause."""
    remedy: str = ""
    """What would lift that."""
    notes: tuple[str, ...] = ()
    """What works less well here although the tier works, one sentence each."""


def try_tiers() -> list[TierReport]:
    """Try every tier in full: start its agent, throw it away. Blocks for a fraction of a second each."""
    return [_try(tier) for tier in TIERS]


def forced_tier() -> Tier | None:
    """What ``KUBELAB_TIER`` demands, None when it is not set. Raises ValueError for a tier that there is not."""
    wanted = os.environ.get(FORCE_VARIABLE)
    if not wanted:
        return None
    for tier in TIERS:
        if wanted == tier:
            return tier
    raise ValueError(f"{FORCE_VARIABLE} is {wanted!r}, but the tiers are {', '.join(TIERS)}: set one of them or none.")


def _try(tier: Tier) -> TierReport:
    with tempfile.TemporaryDirectory(prefix="kubelab-trial-") as state:
        try:
            agent = launch(tier, Path(state))
        except TierUnusable as unusable:
            return TierReport(tier, False, unusable.reason, unusable.remedy)
        agent.end()
        return TierReport(tier, True, notes=tuple(agent.notes))
