"""One hop of a packet's way."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from kubelab.trace.packet import Header

_NOTHING = Header("", "", 0, "", 0)


@dataclass(frozen=True, slots=True)
class Hop:
    """A rule that matched, a base chain's policy, or what happens between rules."""

    kind: str
    """``rule``, ``policy``; ``send``, ``arrive``, ``route``, ``conntrack``, ``deliver``, ``ipvs`` between them."""
    place: str
    """The network namespace: a node's name, a pod's, ``outside``."""
    in_interface: str = ""
    out_interface: str = ""
    hook: str = ""
    """``PREROUTING``, ``INPUT``, ``FORWARD``, ``OUTPUT``, ``POSTROUTING``, or empty."""
    table: str = ""
    """``nat`` for iptables; with its family for nftables: ``ip kube-proxy``."""
    chain: str = ""
    number: int = 0
    """The rule's place in its chain, from 1; 0 when it is no rule."""
    rule: str = ""
    """The rule as it is written in the text; for a known connection its entry."""
    comment: str = ""
    did: str = ""
    """``jump KUBE-SERVICES``, ``dnat 10.244.1.7:80``, ``mark 0x4000``, ``masquerade 172.18.0.3``, ``accept`` …"""
    before: Header = _NOTHING
    after: Header = _NOTHING
    share: float = 1.0
    """The probability of coming here from the hop before it."""

    @property
    def where(self) -> str:
        """``nat KUBE-SERVICES 3``, or the kind of hop."""
        if not self.chain:
            return self.kind
        number = "policy" if self.kind == "policy" else self.number or ""
        return f"{self.table} {self.chain} {number}".rstrip()

    @property
    def interfaces(self) -> str:
        """``eth0 → veth1``; empty when none is known."""
        if self.in_interface and self.out_interface:
            return f"{self.in_interface} → {self.out_interface}"
        if self.in_interface:
            return f"{self.in_interface} →"
        return f"→ {self.out_interface}" if self.out_interface else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a widget."""
        return {**asdict(self), "before": self.before._asdict(), "after": self.after._asdict()}
