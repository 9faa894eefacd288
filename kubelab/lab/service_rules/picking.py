"""Which lines belong to a Service: by its name in comments and chains, by its addresses in maps and sets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kubelab.lab.service_rules.reading import Raw

_OWN_CHAIN = re.compile(r"KUBE-(?:SVC|SVL|EXT|FW|SEP)-[A-Z2-7]{16}")
_JUMP = re.compile(r"(?:-j|-g|jump|goto) ([^\s,}]+)")
_SHARED_BY_ALL = ("KUBE-MARK-MASQ", "KUBE-POSTROUTING", "masquerading")
_ORDER = ("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXT", "KUBE-FW", "KUBE-SVL", "KUBE-SVC", "KUBE-SEP",
          "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "services", "cluster-ips", "nodeport-ips", "service-ips",
          "service-nodeports", "no-endpoint", "firewall", "external-", "local-", "service-", "affinity-",
          "endpoint-", "hairpin", "masquerading")  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """A Service as its rules know it."""

    key: str
    """``namespace/name``."""
    fronts: tuple[tuple[str, int, str], ...]
    """Address, port and protocol of every way to it; the address is empty for a NodePort (any of the node's)."""
    endpoints: frozenset[str]

    @property
    def named(self) -> re.Pattern[str]:
        """Its name in a comment: ``lab/web``, ``lab/web:http``, and not ``lab/web-2``."""
        return re.compile(rf"(?<![\w/.-]){re.escape(self.key)}(?![\w/.-])")

    @property
    def addresses(self) -> frozenset[str]:
        """Its own addresses."""
        return frozenset(address for address, _, _ in self.fronts if address)


def pick_iptables(raws: Sequence[Raw], wanted: Wanted) -> list[Raw]:
    """Rules that name it in shared chains, and the chains that they lead to, whole."""
    named = wanted.named
    seeds = [raw for raw in raws if named.search(raw.text) and not _OWN_CHAIN.fullmatch(raw.name)]
    own = _reached(raws, seeds)
    taken = [raw for raw in raws if raw.name in own or raw in seeds]
    return _ordered([*taken, *_shared(raws, taken)])


def pick_nftables(raws: Sequence[Raw], wanted: Wanted) -> list[Raw]:
    """Elements with its addresses or leading to its chains, and those chains: their names carry its name."""
    own = {raw.name for raw in raws if f"-{wanted.key}/" in raw.name}
    nodeports = {str(port) for address, port, _ in wanted.fronts if not address}
    taken = [raw for raw in raws if raw.name in own or (raw.kind != "chain" and _is_in(raw, wanted, own, nodeports))]
    lookups = [raw for raw in raws if raw.name == "services"]
    return _ordered([*lookups, *taken, *_shared(raws, [*taken, *lookups])])


def pick_ipvs(raws: Sequence[Raw], wanted: Wanted, own_addresses: frozenset[str]) -> list[Raw]:
    """Its virtual servers with their real servers, and the entries of ipsets that hold its addresses or ports."""
    ends = {f"{address}:{port}" for address, port, _ in wanted.fronts if address}
    nodeports = {port for address, port, _ in wanted.fronts if not address}
    ends |= {f"{address}:{port}" for address in own_addresses for port in nodeports}
    return [
        raw
        for raw in raws
        if (raw.kind == "virtual server" and raw.name in ends)
        or (raw.kind == "ipset" and _in_ipset(raw.text.split()[2], wanted, nodeports))
    ]


def _reached(raws: Iterable[Raw], seeds: Iterable[Raw]) -> set[str]:
    """The Services' and endpoints' own chains that some rules lead to."""
    leads: dict[str, set[str]] = {}
    for raw in raws:
        leads.setdefault(raw.name, set()).update(name for name in jumps(raw.text) if _OWN_CHAIN.fullmatch(name))
    found: set[str] = set()
    left = [name for raw in seeds for name in jumps(raw.text) if _OWN_CHAIN.fullmatch(name)]
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += leads.get(name, ())
    return found


def jumps(text: str) -> list[str]:
    """The chains that a rule or an element leads to."""
    return [name for name in _JUMP.findall(text) if name.startswith("KUBE-") or not name.isupper()]


def _shared(raws: Iterable[Raw], taken: Sequence[Raw]) -> list[Raw]:
    """What all Services share and this one uses: the mark and the masquerade."""
    marks = any("KUBE-MARK-MASQ" in raw.text or "mark set" in raw.text for raw in taken)
    return [raw for raw in raws if marks and raw.name in _SHARED_BY_ALL and raw not in taken]


def _is_in(raw: Raw, wanted: Wanted, own: set[str], nodeports: set[str]) -> bool:
    if any(name in own for name in jumps(raw.text)):
        return True
    words = set(raw.text.split())
    if raw.name == "hairpin-connections":
        return bool(words & wanted.endpoints)
    if raw.name == "no-endpoint-nodeports":
        return bool(words & nodeports)
    return bool(words & wanted.addresses)


def _in_ipset(entry: str, wanted: Wanted, nodeports: set[int]) -> bool:
    parts = entry.split(",")
    if parts[0] in wanted.addresses or parts[0] in wanted.endpoints:
        return True
    return parts[0].isdigit() and int(parts[0]) in nodeports


def _ordered(raws: list[Raw]) -> list[Raw]:
    """In the order in which a packet meets them; within a chain as they are."""

    def rank(raw: Raw) -> tuple[int, int]:
        place = next((at for at, start in enumerate(_ORDER) if raw.name.startswith(start)), len(_ORDER))
        return raw.table == "filter", place

    return sorted(dict.fromkeys(raws), key=rank)
