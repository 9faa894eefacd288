"""What the engine's processes take: all below its own, pods included."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kubelab.clusters.descendants import below

TICKS = os.sysconf("SC_CLK_TCK")
SETTLE_SECONDS, IDLE_SECONDS = 30.0, 5.0


def memory(pid: int) -> tuple[int, int]:
    """Bytes (PSS: shared pages counted by share) and the number of processes."""
    family = below(pid)
    return sum(pss(each) for each in family), len(family)


def cpu_seconds(pid: int) -> float:
    """What they have used so far."""
    return sum(_ticks(each) for each in below(pid)) / TICKS


def settle(pid: int) -> float:
    """Wait until the cluster is quiet, as long as it may take; the share of a core that it takes then."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        before, begin = cpu_seconds(pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        share = (cpu_seconds(pid) - before) / (time.monotonic() - begin)
        if share < 0.03 or time.monotonic() > deadline:
            return share


def pss(pid: int) -> int:
    """Bytes of one process; 0 when it is gone."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def _ticks(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
