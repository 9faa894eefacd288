"""From a cluster to a Service's rules: the node's own texts, and what the compilers make of the same objects."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from kubelab.clusters.base import Node, ProxyMode
from kubelab.engine.proxy.text import rules_text
from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.connections import named_node
from kubelab.lab.errors import LabError
from kubelab.lab.service_rules import MODES, Block, Line, ModeRules, ServiceRules
from kubelab.lab.service_rules.picking import Wanted, jumps, pick_iptables, pick_ipvs, pick_nftables
from kubelab.lab.service_rules.reading import (
    Raw,
    read_iptables,
    read_ipvs,
    read_nft_listing,
    read_nft_script,
    sections,
)
from kubelab.lab.service_rules.wording import aside, block_words, drawn, line_words
from kubelab.lab.survey import Survey, addresses_of, everywhere
from kubelab.trace.naming import Names

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

_COMMANDS: Mapping[ProxyMode, tuple[str, ...]] = {
    "iptables": ("iptables-save",),
    "nftables": ("nft list table ip kube-proxy",),
    "ipvs": ("ipvsadm -Sn", "ipset save"),
}
_ENDPOINT_CHAIN = re.compile(r"-A (KUBE-SEP-\S+) .*--to-destination ([\d.]+)")


@dataclass(frozen=True)
class _Seen:
    """What is asked once for all modes."""

    survey: Survey
    node: Node
    wanted: Wanted
    objects: Mapping[str, Sequence[Object]]
    own_addresses: frozenset[str]
    running: ProxyMode | None


def gather(lab: Lab, name: str, node: str | None) -> ServiceRules:
    """See `service_rules`."""
    survey = lab.survey()
    service = survey.service(name)
    if service is None:
        there = ", ".join(sorted(survey.called(each) for each in survey.services)) or "none"
        raise LabError(f"There is no Service {name!r}; there are {there}.")
    nodes = lab.cluster.nodes()
    place = named_node(lab, node) if node else nodes[min(1, len(nodes) - 1)]
    slices = everywhere(lab, kinds.ENDPOINTSLICE)
    objects = {"services": survey.services, "endpointslices": slices, "nodes": everywhere(lab, kinds.named("node"))}
    own = frozenset(each.address for each in survey.picture.node(place.name).addresses)
    seen = _Seen(survey, place, _wanted(service, slices), objects, own, _running(lab))
    return ServiceRules(survey.called(service), place.name, seen.running, tuple(_mode(seen, mode) for mode in MODES))


def _running(lab: Lab) -> ProxyMode | None:
    """What kube-proxy says; None where it cannot be asked."""
    try:
        return lab.proxy_mode
    except LabError:
        return None


def _wanted(service: Object, slices: Sequence[Object]) -> Wanted:
    metadata, spec = service["metadata"], service["spec"]
    fronts: list[tuple[str, int, str]] = []
    for port in spec.get("ports") or ():
        protocol = port.get("protocol", "TCP").lower()
        fronts += [(address, port["port"], protocol) for address in addresses_of(service)]
        if port.get("nodePort"):
            fronts.append(("", port["nodePort"], protocol))
    own = (
        each
        for each in slices
        if (each["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == metadata["name"]
        and each["metadata"].get("namespace") == metadata["namespace"]
    )
    endpoints = frozenset(a for each in own for end in each.get("endpoints") or () for a in end["addresses"])
    return Wanted(f"{metadata['namespace']}/{metadata['name']}", tuple(fronts), endpoints)


def _mode(seen: _Seen, mode: ProxyMode) -> ModeRules:
    text, live, source = _text(seen, mode)
    raws = _read(mode, text, live)
    if mode == "ipvs":
        picked = pick_ipvs(raws, seen.wanted, seen.own_addresses)
    else:
        picked = (pick_iptables if mode == "iptables" else pick_nftables)(raws, seen.wanted)
    names = replace(seen.survey.names, chains={**seen.survey.names.chains, **dict(_ENDPOINT_CHAIN.findall(text))})
    return ModeRules(mode, live, source, tuple(_blocks(picked, raws, names)))


def _text(seen: _Seen, mode: ProxyMode) -> tuple[str, bool, str]:
    """The rules, whether they were read from the node, and that in a sentence."""
    commands = _COMMANDS[mode]
    said = " and ".join(f"`{command}`" for command in commands)
    why = "Not loaded"
    if mode == seen.running:
        answers = [seen.node.run(command.split()) for command in commands]
        if all(answer.code == 0 for answer in answers):
            parts = [f"# {command}\n{answer.stdout}" for command, answer in zip(commands, answers, strict=True)]
            return "\n".join(parts), True, f"Read from {seen.node.name} just now: {said}."
        why = f"Loaded, but {said} cannot be run on {seen.node.name}"
    text = rules_text(mode, seen.node.name, seen.objects, _pods_network(seen.survey), nfacct=False)
    return text, False, f"{why}: what kube-proxy makes of the same objects for {seen.node.name} in this mode."


def _read(mode: ProxyMode, text: str, live: bool) -> list[Raw]:
    if mode == "iptables":
        return list(read_iptables(text))
    if mode == "nftables":
        return list(read_nft_listing(text) if live else read_nft_script(text))
    parts = sections(text)
    return list(read_ipvs(parts.get("ipvsadm", ""), parts.get("ipset", "")))


def _pods_network(survey: Survey) -> str | None:
    """The cluster's range of pods, which rules take for "a client that is no pod"."""
    nets = [net for net, what in survey.networks.items() if what == "pods"]
    return nets[0] if nets else None


def _blocks(picked: Sequence[Raw], raws: Sequence[Raw], names: Names) -> list[Block]:
    there = {raw.name for raw in picked}
    shares = _shares(picked)
    called = _caller(names)
    found = []
    for (kind, table, name), group in groupby(picked, key=lambda raw: (raw.kind, raw.table, raw.name)):
        lines = tuple(_line(raw, there, shares, names, called) for raw in group)
        others = sum((raw.kind, raw.table, raw.name) == (kind, table, name) for raw in raws) - len(lines)
        title = name if kind != "virtual server" else f"{table} {name}"
        shown = f"{table} {name}" if table in ("nat", "filter") else title
        found.append(Block(kind, table, name, names.rule(shown), block_words(name), lines, others))
    servers = [block for block in found if block.kind == "virtual server"]
    rest = [block for block in found if block.kind != "virtual server"]
    return [*sorted(servers, key=lambda block: block.named), *_endpoints_sorted(rest)]


def _endpoints_sorted(blocks: list[Block]) -> list[Block]:
    """Endpoints' chains by name: their real names are hashes of addresses."""
    ends = iter(sorted((each for each in blocks if _is_endpoint(each.name)), key=lambda each: each.named))
    return [next(ends) if _is_endpoint(each.name) else each for each in blocks]


def _is_endpoint(name: str) -> bool:
    return name.startswith(("KUBE-SEP-", "endpoint-", "affinity-"))


def _line(
    raw: Raw, there: set[str], shares: Mapping[str, Fraction], names: Names, called: Callable[[str], str]
) -> Line:
    leads = next((name for name in jumps(raw.text) if name in there and name != raw.name), "")
    looks_up = re.search(r"vmap @([-\w]+)", raw.text) or re.search(r"@([-\w]+)", raw.text)
    if not leads and looks_up and looks_up[1] in there:
        leads = looks_up[1]
    share = str(shares[raw.text]) if raw.text in shares else _each(raw.text)
    by_address = raw.text in shares or raw.kind in ("set", "map", "ipset") or raw.text.startswith("-a ")
    words = line_words(raw, called, shares)
    return Line(raw.text, names.rule(raw.text), words, leads, share, aside(raw.text, shares), by_address)


def _each(text: str) -> str:
    """The share of each of nftables' targets."""
    found = re.search(r"numgen random mod (\d+)", text)
    return "" if found is None or found[1] == "1" else f"1/{found[1]} each"


def _shares(picked: Sequence[Raw]) -> dict[str, Fraction]:
    """What each drawing rule of iptables gets of all connections: its probability of what those above have left."""
    found: dict[str, Fraction] = {}
    for _, group in groupby(picked, key=lambda raw: (raw.table, raw.name)):
        left = Fraction(1)
        for raw in group:
            if (
                raw.kind == "chain"
                and re.search(r"-> [\d.]+:\d+.* -j KUBE-SEP-", raw.text)
                and "recent" not in raw.text
            ):
                own = Fraction(drawn(raw.text) or 1).limit_denominator(10_000)
                found[raw.text] = own * left
                left -= own * left
    return found


def _caller(names: Names) -> Callable[[str], str]:
    def called(text: str) -> str:
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return names.rule(text)
        return names.plain(text)

    return called
