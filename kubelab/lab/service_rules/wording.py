"""What a line does for its Service, in a sentence; chains and sets in a few words (kube-proxy 1.36)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from kubelab.lab.service_rules.reading import Raw

_CHAINS = (
    ("KUBE-SERVICES", "asked for every new connection: all Services, one rule after the other"),
    ("KUBE-NODEPORTS", "asked when the destination is the node itself: all NodePorts"),
    ("KUBE-EXT-", "the Service as it is reached from outside"),
    ("KUBE-FW-", "which source ranges may use its load balancer"),
    ("KUBE-SVL-", "its endpoints on this node only"),
    ("KUBE-SVC-", "the Service: a draw among its endpoints"),
    ("KUBE-SEP-", "one endpoint"),
    ("KUBE-MARK-MASQ", "marks packets to be masqueraded; shared by all Services"),
    ("KUBE-POSTROUTING", "on the way out: masquerades what is marked; shared by all Services"),
    ("KUBE-EXTERNAL-SERVICES", "external addresses without endpoints"),
    ("KUBE-PROXY-FIREWALL", "load balancers' addresses closed to the rest"),
    ("services", "asked for every new connection: one look-up in a map, however many Services there are"),
    ("service-ips", "a map: address, protocol, port → chain of a Service"),
    ("service-nodeports", "a map: protocol, node port → chain of a Service"),
    ("no-endpoint", "a map: Services without endpoints → refused or dropped"),
    ("firewall-ips", "a map: load balancers' addresses → who may use them"),
    ("cluster-ips", "a set: every ClusterIP"),
    ("hairpin-connections", "a set: pods on this node that reach themselves through a Service"),
    ("service-", "the Service: a draw among its endpoints, in one rule"),
    ("external-", "the Service as it is reached from outside"),
    ("firewall-", "which source ranges may use its load balancer"),
    ("endpoint-", "one endpoint"),
    ("affinity-", "a set: clients that stay with one endpoint"),
    ("masquerading", "on the way out: masquerades what is marked; shared by all Services"),
    ("KUBE-CLUSTER-IP", "an ipset: every ClusterIP and port"),
    ("KUBE-NODE-PORT", "an ipset: every node port"),
    ("KUBE-LOOP-BACK", "an ipset: pods on this node that reach themselves through a Service"),
    ("KUBE-IPVS-IPS", "an ipset: every address of a Service, closed but for its ports"),
)
_IPSETS = {"KUBE-CLUSTER-IP": "Its ClusterIP and port are let through to IPVS.",
           "KUBE-LOOP-BACK": "This endpoint may be its own client: then the packet is masqueraded.",
           "KUBE-IPVS-IPS": "Other ports of this address are refused."}  # fmt: skip
_PROBABILITY = re.compile(r"--probability ([\d.]+)")
_MARK = re.compile(r"KUBE-MARK-MASQ|mark set (?:meta )?mark (?:or|\|)")


def block_words(name: str) -> str:
    """What a chain, a map or a set is for."""
    return next((words for start, words in _CHAINS if name.startswith(start)), "")


def fraction(value: float) -> str:
    """``1/3``."""
    return str(Fraction(value).limit_denominator(1000))


def drawn(text: str) -> float | None:
    """The probability that a rule of iptables draws with; None when it draws nothing."""
    found = _PROBABILITY.search(text)
    return float(found[1]) if found else None


def line_words(raw: Raw, called: Callable[[str], str], shares: Mapping[str, Fraction]) -> str:
    """A sentence. ``called`` names addresses; ``shares``: a line of iptables → what it gets of all connections."""
    if raw.kind == "virtual server":
        return _virtual(raw, called)
    if raw.kind == "ipset":
        return _IPSETS.get(raw.name, "Its node port is known." if "NODE-PORT" in raw.name else "")
    if raw.kind != "chain":
        return _element(raw, called)
    if raw.name in ("KUBE-MARK-MASQ", "KUBE-POSTROUTING", "masquerading"):
        return _masquerading(raw.text)
    return _draw(raw.text, called, shares) or _rule(raw, called)


def aside(text: str, shares: Mapping[str, Fraction]) -> str:
    """Why a rule's own probability is not its share. (Which endpoint's rule comes first is chance.)"""
    if text not in shares or shares[text] == 1:
        return ""
    own = drawn(text)
    if own is None:
        return "No draw: it takes what the rules above have left."
    return "" if fraction(own) == str(shares[text]) else f"It draws {fraction(own)} of what the rules above have left."


def _draw(text: str, called: Callable[[str], str], shares: Mapping[str, Fraction]) -> str:
    if text in shares:
        share = shares[text]
        return f"{endpoint_of(text, called)} takes {'all' if share == 1 else f'{share} of all'} new connections."
    found = re.search(r"numgen random mod (\d+)(?: v?map)? \{(.*)\}", text)
    if found is None:
        return ""
    targets = sorted({called(each) for each in re.findall(r"\d+ : (?:goto \S*?__)?([\d.]+)", found[2])})
    each_gets = "all" if found[1] == "1" else f"1/{found[1]} each"
    verb = "The destination becomes" if "dnat" in text else "A draw among"
    return f"{verb} {' or '.join(targets) or 'an endpoint'}, {each_gets}."


def endpoint_of(text: str, called: Callable[[str], str]) -> str:
    """Whose endpoint a rule leads to, from its comment (``-> address:port``) or its chain."""
    found = re.search(r"-> ([\d.]+):", text) or re.search(r"__([\d.]+)/", text)
    return called(found[1]) if found else called(text.split()[-1])


def _rule(raw: Raw, called: Callable[[str], str]) -> str:
    text = raw.text
    if found := re.search(
        r"--to-destination ([\d.]+):(\d+)|dnat (?:ip addr \. port )?to ([\d.]+)(?::| \. )(\d+)", text
    ):
        address, port = (found[1], found[2]) if found[1] else (found[3], found[4])
        return f"The destination becomes {called(address)}:{port} (DNAT)."
    if _MARK.search(text):
        return _marking(raw)
    if "REJECT" in text or "reject" in text:
        return "Nobody is there to answer: refused."
    if "DROP" in text or re.search(r"\bdrop\b", text):
        return "Dropped: the client hears nothing."
    if "--rcheck" in text or ("@affinity" in text and "update" not in text):
        return "A client that came before goes where it went before (session affinity)."
    if "--set" in text or "update @affinity" in text:
        return "The client is remembered for this endpoint (session affinity)."
    if "vmap @" in text:
        by = "an address" if "daddr ." in text else "a node port"
        return f"Whose is it? One look-up by {by}, protocol and port."
    port = re.search(r"--dport (\d+)", text)
    if port and re.search(r"-j KUBE-(SVC|EXT|SVL|FW)", text):
        if raw.name == "KUBE-NODEPORTS":
            return f"To the node's port {port[1]}: on to the Service's chain."
        return f"To {_destination(text, called)}, port {port[1]}: on to the Service's chain."
    if re.search(r"-j KUBE-(SVC|SVL)|goto (service|local)-", text):
        return "On to its endpoints."
    return ""


def _marking(raw: Raw) -> str:
    text = raw.text
    if raw.name.startswith(("KUBE-SEP", "endpoint-")):
        return "The endpoint itself is the client (hairpin): mark it, so that the answer comes back through the node."
    if raw.name.startswith(("KUBE-EXT", "external-")):
        return "From outside: mark it, so that the answer comes back through this node (the client's address is lost)."
    if "! -s" in text or "saddr !=" in text:
        return "A client that is no pod: mark it, so that the answer comes back through this node."
    return "Mark it to be masqueraded."


def _masquerading(text: str) -> str:
    if "@hairpin-connections" in text:
        return "A pod that reaches itself: the source becomes the node's address."
    if re.search(r"xor|\^", text) and "masquerade" in text:
        return "Marked: the mark comes off, and the source becomes the node's address."
    if "RETURN" in text:
        return "Not marked: leave it as it is."
    if "MASQUERADE" in text or "masquerade" in text:
        return "The source becomes the node's own address."
    return "Put the mark on." if "or-mark" in text or "KUBE-MARK-MASQ" in text.split()[:2] else "Take the mark off."


def _destination(text: str, called: Callable[[str], str]) -> str:
    found = re.search(r"-d ([\d.]+)", text)
    return called(found[1]) if found else "it"


def _element(raw: Raw, called: Callable[[str], str]) -> str:
    key, _, verdict = raw.text.partition(" : ")
    parts = key.split(" comment ")[0].split(" . ")
    if raw.name == "service-ips" and len(parts) == 3:
        return f"{called(parts[0])}, {parts[1]} port {parts[2]}: on to its chain."
    if raw.name == "service-nodeports" and len(parts) == 2:
        return f"Any address of the node, {parts[0]} port {parts[1]}: on to its chain."
    if raw.name.startswith("no-endpoint"):
        return "It has no endpoints: " + ("dropped." if "drop" in verdict else "refused.")
    if raw.name == "hairpin-connections":
        return f"{called(parts[0])} as client and as server: masqueraded."
    return f"{called(parts[0])}." if raw.name == "cluster-ips" else ""


def _virtual(raw: Raw, called: Callable[[str], str]) -> str:
    words = raw.text.split()
    if words[0] == "-A":
        scheduler = words[words.index("-s") + 1] if "-s" in words else "?"
        in_words = {"rr": "each in turn (rr)", "lc": "the one with the fewest (lc)", "wrr": "in turn by weight (wrr)"}
        stays = " A client stays where it was (persistence)." if "-p" in words else ""
        return f"A virtual server: connections go to its real servers, {in_words.get(scheduler, scheduler)}.{stays}"
    to = words[words.index("-r") + 1] if "-r" in words else ""
    weight = words[words.index("-w") + 1] if "-w" in words else "1"
    address, _, port = to.rpartition(":")
    leaving = " and gets no new connections (weight 0)" if weight == "0" else ""
    return f"A real server: {called(address)}:{port}, by NAT{leaving}."
