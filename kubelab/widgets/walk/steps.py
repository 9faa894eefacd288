"""An outcome's hops as steps: what a reader sees of each, with names and with the addresses behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubelab.trace import Header, Hop, Outcome
from kubelab.widgets.walk.words import aside, fraction, service, words

_DECIDE = ("drop", "reject", "cannot", "masquerade", "dnat", "snat")
_LEAD_ON = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-", "KUBE-NODEPORTS", "KUBE-MARK-MASQ",
            "service-", "local-", "external-", "firewall-", "endpoint-", "mark-for-masquerade")  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One hop, twice: as the tools print it and with names."""

    raw: Hop
    hop: Hop
    """With names; the same as ``raw`` when there are none."""
    words: str
    matters: bool
    """It changes the packet, decides, or moves it on; other hops only look and come back."""
    seen: bool | None = None
    """Whether the kernel has shown the same hop; None when it was not asked."""
    of: str = ""
    """The Service whose rules are walked, as far as chains and comments have said it: ``Service web, port http``."""

    @property
    def change(self) -> str:
        """``DNAT``, ``SNAT``, ``mark``; empty when the packet stays as it is."""
        before, after = self.raw.before, self.raw.after
        if (before.destination, before.destination_port) != (after.destination, after.destination_port):
            return "DNAT" if not self.raw.did.startswith("un-") else "back"
        if (before.source, before.source_port) != (after.source, after.source_port):
            return "SNAT" if not self.raw.did.startswith("un-") else "back"
        return "mark" if before.mark != after.mark else ""

    @property
    def badge(self) -> str:
        """A word to put beside the place: what changed, the chance, how it ended."""
        verdict = next((word for word in ("drop", "reject") if word in self.raw.did.split()), "")
        chance = fraction(self.raw.share) if self.raw.share != 1.0 else ""
        return verdict or self.change or chance

    @property
    def where(self) -> str:
        """``nat KUBE-SERVICES``, ``routing``, ``wire`` …"""
        plain = {"send": "process", "arrive": "interface", "route": "routing", "conntrack": "connection tracking",
                 "deliver": "process", "ipvs": "IPVS"}  # fmt: skip
        return f"{self.hop.table} {self.hop.chain}" if self.hop.chain else plain.get(self.hop.kind, self.hop.kind)

    def to_dict(self, box: int) -> dict[str, Any]:
        """Plain values, for the browser."""
        number = f", rule {self.raw.number}" if self.raw.number else ", policy" if self.raw.kind == "policy" else ""
        written = f"{self.raw.table} {self.raw.chain}" if self.raw.chain else ""
        return {
            "box": box,
            "place": self.hop.place,
            "hook": self.hop.hook,
            "where": f"{self.where}{number}",
            "written": f"{written}{number}" if written != self.where else "",
            "words": self.words,
            "aside": aside(self.raw),
            "rule": self.raw.rule,
            "comment": self.hop.comment,
            "chance": fraction(self.raw.share) if self.raw.share != 1.0 else "",
            "badge": self.badge,
            "change": self.change,
            "matters": self.matters,
            "seen": self.seen,
            "before": packet(self.hop.before, self.raw.before),
            "after": packet(self.hop.after, self.raw.after),
        }


def packet(named: Header, raw: Header) -> dict[str, str]:
    """Its ends by name and by address, and its mark."""
    return {
        "source": end(named.source, named.source_port),
        "source_address": raw.source_text,
        "destination": end(named.destination, named.destination_port),
        "destination_address": raw.destination_text,
        "mark": f"{raw.mark:#x}" if raw.mark else "none",
    }


def end(name: str, port: int) -> str:
    """A name with its port; a port that the kernel picks is left out."""
    return f"{name}:{port}" if port else name


def steps(outcome: Outcome, observed: Sequence[Hop] | None = None) -> list[Step]:
    """The hops of an outcome. ``observed``: what the kernel has shown of the same packet, hop by hop."""
    raw, named = outcome.hops, outcome.named.hops
    confirmed = _confirmed(raw, observed) if observed is not None else [None] * len(raw)
    follows: list[Hop | None] = [*raw[1:], None]
    found, of = [], ""
    for hop, shown, after, seen in zip(raw, named, follows, confirmed, strict=True):
        of = service(hop.did, hop.comment) or of
        found.append(Step(hop, shown, words(shown, of), _matters(hop, after), seen, of))
    return found


def _matters(hop: Hop, following: Hop | None) -> bool:
    if hop.kind == "policy":
        return hop.did != "accept"
    if hop.kind != "rule" or hop.after != hop.before or hop.share != 1.0 or following is None:
        return True
    first, _, rest = hop.did.partition(" ")
    if first in ("jump", "goto"):
        return rest.startswith(_LEAD_ON) and following.chain == rest
    return first in _DECIDE


def _confirmed(hops: Sequence[Hop], observed: Sequence[Hop]) -> list[bool | None]:
    """Rule for rule in order. What lies between rules the kernel does not show: it is neither confirmed nor denied."""
    left = [_key(hop) for hop in observed if hop.kind in ("rule", "policy")]
    found: list[bool | None] = []
    for hop in hops:
        if hop.kind not in ("rule", "policy"):
            found.append(None)
            continue
        there = _key(hop) in left
        if there:
            del left[: left.index(_key(hop)) + 1]
        found.append(there)
    return found


def _key(hop: Hop) -> tuple[str, str, str, int]:
    return hop.place, hop.table, hop.chain, hop.number
