"""Files under /proc that tell of a node's network, as a tool finds them that is started there."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

from kubelab.engine.network.agent.interposed.places import Host
from kubelab.engine.network.agent.interposed.tracking import MOST, Tracking
from kubelab.rules import Memory

_TICKS = 250
"""A second in the kernel's clock, of which ``xt_recent`` shows stamps."""
_FIRST_TICK = (1 << 32) - 300 * _TICKS


def lay(folder: Path, host: Host, tracking: Tracking) -> dict[str, tuple[str, bool]]:
    """Write the files as they are now. Returns path in /proc → (path of the file or folder, read-only)."""
    recent = folder / "xt_recent"
    recent.mkdir(parents=True, exist_ok=True)
    for left in set(recent.iterdir()) - {recent / name for name in host.memory.recent}:
        left.unlink()
    for name in host.memory.recent:
        (recent / name).write_text(_recent(host.memory, name))
    found = {"/proc/net/xt_recent": recent}
    for name, number in (("count", tracking.count(host.spec.name)), ("max", MOST)):
        path = found[f"/proc/sys/net/netfilter/nf_conntrack_{name}"] = folder / f"nf_conntrack_{name}"
        path.write_text(f"{number}\n")
    return {target: (str(path), True) for target, path in found.items()}


def _recent(memory: Memory, name: str) -> str:
    """A list of the ``recent`` match: who was seen, and when."""
    ago = monotonic() - memory.now()
    stamps = {address: _FIRST_TICK + int((seen + ago) * _TICKS) for address, seen in memory.recent[name].items()}
    return "".join(f"src={ip} ttl: 64 last_seen: {at} oldest_pkt: 1 {at}\n" for ip, at in stamps.items())
