"""What a hop does, in a sentence. The chains' names are kube-proxy's (1.36), in iptables and in nftables mode."""

from __future__ import annotations

import re
from fractions import Fraction

from kubelab.trace import Hop

_OWN = re.compile(r"(?P<kind>KUBE-(?:SVC|SVL|EXT|FW|SEP)|service|local|external|firewall|endpoint)-(?P<rest>.+)")
_ALIKE = {"KUBE-SVC": "service", "KUBE-SVL": "local", "KUBE-EXT": "external", "KUBE-FW": "firewall",
          "KUBE-SEP": "endpoint"}  # fmt: skip
_NFT_NAME = re.compile(r"[A-Z2-7]{8}-(?P<service>[^/\s]+/[^/\s]+)/\w+/(?P<port>[^/_\s]*)")
_PROBABILITY = re.compile(r"--probability ([\d.]+)")

_KNOWN = {
    "KUBE-SERVICES": "Is the destination a Service? On to the chain that lists all of them.",
    "services": "Is the destination a Service? On to the chain that looks all of them up in one map.",
    "KUBE-NODEPORTS": "The destination is an address of the node itself: is it a NodePort?",
    "KUBE-MARK-MASQ": "The answer must come back to this node, so the node has to put its own address in as source: "
                      "on to the chain that marks the packet for it.",
    "mark-for-masquerade": "The answer must come back to this node, so the node has to put its own address in as "
                           "source: on to the chain that marks the packet for it.",
    "KUBE-POSTROUTING": "The packet leaves the node: was it marked for masquerading?",
    "masquerading": "The packet leaves the node: was it marked for masquerading?",
    "KUBE-FORWARD": "The packet passes through the node: may it?",
    "KUBE-FIREWALL": "Is it a packet that fakes a local address?",
    "KUBE-PROXY-FIREWALL": "Is it for a load balancer's address that is not open to this client?",
    "firewall-check": "Is it for a load balancer's address that is not open to this client?",
    "KUBE-EXTERNAL-SERVICES": "Is it for an external address of a Service that has no endpoints?",
    "service-endpoints-check": "Is it for a Service that has no endpoints?",
    "nodeport-endpoints-check": "Is it for a NodePort of a Service that has no endpoints?",
    "cluster-ips-check": "Is it for an address in the Services' range that no Service has?",
}  # fmt: skip
_OWN_WORDS = {
    "service": "It is: {of}. On to the chain of that Service.",
    "local": "For {of} only endpoints on this node count (traffic policy Local).",
    "external": "It is: {of}, asked for from outside the cluster.",
    "firewall": "{of} lets only some source ranges in: is this client among them?",
}


def fraction(value: float) -> str:
    """``1/3``, ``1/2``, ``1``; a percentage when it is no simple fraction."""
    near = Fraction(value).limit_denominator(200)
    if abs(float(near) - value) < 1e-6:
        return str(near)
    return f"{100 * value:.3g}%"


def words(hop: Hop, of: str = "") -> str:
    """What happens at a hop; the hop with names in place of addresses. ``of``: the Service whose rules are walked."""
    if hop.kind == "policy":
        passed = "lets the packet pass" if hop.did == "accept" else "drops the packet"
        return f"No rule of this chain had the last word: its policy {passed}."
    if hop.kind != "rule":
        return _between(hop)
    said = " ".join(filter(None, (_part(hop, part.strip(), of) for part in hop.did.split(", "))))
    drawn = hop.share != 1.0 and not said.startswith("Chance")
    return f"By a chance of {fraction(hop.share)}: {said}" if drawn else said


def _between(hop: Hop) -> str:
    if hop.kind == "send":
        by = f" by {hop.out_interface}" if hop.out_interface else ""
        return f"{hop.place} sends the packet{by}." if hop.did == "send" else f"{hop.place}: {hop.did}."
    if hop.kind == "arrive":
        if hop.did == "back by lo":
            return "The destination is the node's own: the packet comes back in by lo."
        return f"The packet enters {hop.place}{f' by {link(hop.in_interface)}' if hop.in_interface else ''}."
    if hop.kind == "route":
        return f"Routing, by the destination as it is now: {_routed(hop)}."
    if hop.kind == "conntrack":
        return _tracked(hop.did)
    return f"{hop.place} receives the packet." if hop.kind == "deliver" else f"{hop.did}."


def _routed(hop: Hop) -> str:
    if hop.did.startswith("for "):
        return f"it is for {hop.place} itself"
    out = f"out by {link(hop.out_interface)}"
    via = re.search(r"\bvia (\S+)", hop.did)
    return f"{out}, to {via[1]}" if via else out


def _tracked(did: str) -> str:
    word, _, rest = did.removesuffix(":*").partition(" ")
    if word == "un-dnat":
        return f"The client must hear it from where it had sent to: connection tracking puts {rest} back as the source."
    if word == "un-snat":
        return f"Connection tracking knows for whom the node had stepped in: {rest} is the destination again."
    if word in ("dnat", "snat"):
        end = "destination" if word == "dnat" else "source"
        return f"A known connection goes on as it began: the {end} becomes {rest}, and no rule is asked."
    return f"Connection tracking recognises it: {did}. The rules of table nat are asked for new connections only."


def _part(hop: Hop, part: str, of: str) -> str:
    verb, _, rest = part.partition(" ")
    rest = rest.removesuffix(":*")
    match verb:
        case "jump" | "goto":
            return _jump(hop, rest, of)
        case "dnat":
            return f"The destination becomes {rest} (DNAT). The node remembers it, and will turn answers back."
        case "masquerade":
            return f"The source becomes {rest}, this node's own address (masquerade): the server will answer the node."
        case "snat":
            return f"The source becomes {rest} (SNAT)."
        case "mark":
            off = int(rest, 0) & 0x4000 == 0 if rest.startswith("0x") else False
            return "The mark comes off again." if off else f"The mark {rest} says: masquerade me when I leave the node."
        case "return":
            return "Nothing more to do in this chain: back to the one before." + _unmarked(hop)
        case "accept":
            return "The rule lets the packet pass: this chain asks no more."
        case "drop":
            return "The rule drops the packet, and tells nobody."
        case "reject":
            return f"The rule refuses the packet and tells the client so ({rest})."
        case "cannot":
            return "This rule cannot be judged: nobody guesses."
    return ""


def _unmarked(hop: Hop) -> str:
    return " (It is not marked: its source stays.)" if hop.chain in ("KUBE-POSTROUTING", "masquerading") else ""


def _jump(hop: Hop, chain: str, of: str) -> str:
    if known := _KNOWN.get(chain):
        return known
    own = _OWN.match(chain)
    if own is None:
        return f"On to chain {chain}."
    kind = _ALIKE.get(own["kind"], own["kind"])
    if kind == "endpoint":
        return _picks(hop, endpoint(chain))
    return _OWN_WORDS[kind].format(of=of or "a Service")


def _picks(hop: Hop, name: str) -> str:
    if hop.share == 1.0:
        return f"The endpoint is {name}."
    return f"Chance picks {name}: {fraction(hop.share)} of all new connections go there."


def aside(hop: Hop) -> str:
    """Why a rule's own probability is not the endpoint's share. (Which rule is whose depends on their addresses.)"""
    if hop.share == 1.0 or hop.table != "nat" or not hop.did.startswith("jump"):
        return ""
    drawn = _PROBABILITY.search(hop.rule)
    if drawn is None:
        return f"This last rule draws no number: it takes what those above have left, {fraction(hop.share)} of all."
    own = fraction(float(drawn[1]))
    if own == fraction(hop.share):
        return ""
    return f"The rule draws {own}, but only of what the rules above have left: {fraction(hop.share)} of all."


def endpoint(chain: str) -> str:
    """``web-1`` for ``KUBE-SEP-(web-1)``; without a name the chain as it is called."""
    named = re.search(r"\(([^)]*)\)$", chain)
    address = re.search(r"__([^/]+)/", chain)
    return named[1] if named else address[1] if address else chain


def service(chain: str, comment: str = "") -> str:
    """``Service web, port http``: from a chain's name (nftables) or a rule's comment (iptables); empty without."""
    found = _NFT_NAME.search(chain)
    whole, port = (found["service"], found["port"]) if found else ("", "")
    if not found and (said := re.search(r"(?:^|\s)([-\w.]+/[-\w.]+)(?::([-\w.]+))?", comment)):
        whole, port = said[1], said[2] or ""
    if not whole:
        return ""
    return f"Service {whole.partition('/')[2]}{f', port {port}' if port else ''}"


def link(text: str) -> str:
    """``link-(web-1)`` as ``the link of web-1``."""
    return re.sub(r"link-\(([^)]*)\)", r"the link of \1", text)
