"""What the nodes' own tools say, read at one moment: rules, routes, addresses, connections.

One command a node reads everything, all nodes at once.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, LabError, Lacking
from kubelab.lab.pods import Aliases
from kubelab.trace import Names, Picture, Trace, names_of, picture, trace

if TYPE_CHECKING:
    from kubelab.clusters.base import Node
    from kubelab.lab.lab import Lab

_MARK = "\x1ekubelab "
_SCRIPT = r"""
section() { printf '\n\036kubelab %s\n' "$1"; }
has() { command -v "$1" >/dev/null 2>&1; }
section addresses; ip addr
section routes; ip route show table all
section policy; ip rule
section iptables; has iptables-save && iptables-save -c 2>/dev/null
if has nft; then
    section nft
    nft list tables 2>/dev/null | while read -r _ family name; do
        case "$name" in filter|nat|mangle|raw|security|kubelab-follow-*) ;; *) nft list table "$family" "$name" ;; esac
    done
fi
section conntrack; has conntrack && conntrack -L 2>/dev/null
if has ipvsadm; then section ipvs; ipvsadm -Sn 2>/dev/null
elif [ -r /proc/net/ip_vs ]; then section ipvs; while read -r line; do echo "$line"; done </proc/net/ip_vs; fi
if has ipset; then section ipset; ipset save 2>/dev/null; fi
"""
_RECENT = r"""
for list in /proc/net/xt_recent/*; do
    [ -r "$list" ] || continue
    printf '\n\036kubelab recent %s\n' "${list##*/}"
    while read -r line; do echo "$line"; done <"$list"
done
exit 0
"""
_STANDIN = "Mode ipvs where the kernel has no IPVS: walked is the table ip kubelab-ipvs, which does what IPVS would."
"""`ipvsadm` and `ipset` answer in such a node too, from the plan. A trace leaves them out: the node has no rules that
ask the sets, and the kernel's own record, which `Lab.follow` holds a trace against, is that of the table."""
_EVALUATED: Mapping[str, Sequence[str]] = {
    "addresses": ("ip", "addr"),
    "routes": ("ip", "route", "show", "table", "all"),
    "iptables": ("iptables-save", "-c"),
    "nft": ("nft", "list", "ruleset"),
    "conntrack": ("conntrack", "-L"),
}
"""What a node answers where its rules are evaluated and not the kernel's: tool by tool, without a shell between."""
_OF_OUTSIDE = ("addresses", "routes")
_LIST = re.compile(r"-m recent .*--name (\S+)")


def read_node(node: Node) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of a node's tools by name, and the lists of clients that the ``recent`` match remembers."""
    done = node.run(["sh", "-c", _SCRIPT + _RECENT])
    if done.code != 0 or _MARK not in done.stdout:
        raise LabError(f"The rules of {node.name} cannot be read: {done.stderr.strip() or 'it has no shell'}.")
    texts = _sections(done.stdout)
    return {name: text for name, text in texts.items() if " " not in name}, _recent(texts)


def _read_evaluated(node: Node) -> tuple[dict[str, str], dict[str, str]]:
    outside = node.name == "outside"
    texts = {name: node.run(argv).stdout for name, argv in _EVALUATED.items() if not outside or name in _OF_OUTSIDE}
    if outside:
        return texts, {}
    empty = dict.fromkeys(_LIST.findall(texts["iptables"]), "")  # a list is there from its first client on
    return texts, empty | _recent(_sections(node.run(["sh", "-c", _RECENT]).stdout))


def _sections(output: str) -> dict[str, str]:
    parts = (section.partition("\n") for section in output.split(_MARK)[1:])
    return {name: text for name, _, text in parts if text.strip() or name.startswith("recent ")}


def _recent(sections: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix("recent "): text for name, text in sections.items() if name.startswith("recent ")}


@dataclass(frozen=True)
class Survey:
    """A cluster's rules and objects at one moment. Made by `Lab.survey`."""

    picture: Picture
    services: tuple[Object, ...]
    namespace: str
    networks: Mapping[str, str]
    """Networks of pods and Services → what they are for."""
    notes: tuple[str, ...] = ()
    evaluated: bool = False
    """There is no kernel behind the texts: rules are evaluated by the cluster's network itself."""

    @cached_property
    def names(self) -> Names:
        """What to call addresses."""
        called: dict[str, str] = {}
        for service in reversed(self.services):  # of two with one address the first has it
            called |= dict.fromkeys(addresses_of(service), f"Service {self.called(service)}")
        return names_of(self.picture, called, self.networks)

    def called(self, object_: Object) -> str:
        """An object's name, with its namespace when that is not the lab's."""
        return called(object_, self.namespace)

    def service(self, name: str) -> Object | None:
        """A Service by ``web``, ``web.shop`` or ``web.shop.svc.cluster.local``."""
        wanted, _, rest = name.partition(".")
        namespace = rest.partition(".")[0] or self.namespace
        found = (each for each in self.services if each["metadata"]["name"] == wanted)
        return next((each for each in found if each["metadata"]["namespace"] == namespace), None)

    def trace(self, source: str, address: str, port: int, protocol: str, **question: Any) -> Trace:
        """`kubelab.trace.trace` on these texts, with outcomes in the order of the names of their places."""
        found = trace(self.picture, source, address, port, protocol, **question)
        outcomes = sorted(found.outcomes, key=lambda outcome: (outcome.assumptions, _natural(outcome.place)))
        return Trace(found.source, found.sent, tuple(outcomes), (*self.notes, *found.notes), self.names)


def _natural(text: str) -> tuple[str, int]:
    stem, _, number = text.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (text, 0)


def survey(lab: Lab) -> Survey:
    """Read everything now. Raises `LabError`, `ClusterError`."""
    kernel = "kernel rules" in lab.cluster.capabilities
    places = [*lab.cluster.nodes(), lab.cluster.outside]
    read = read_node if kernel else _read_evaluated
    with ThreadPoolExecutor(len(places) + 3) as pool:
        found = [pool.submit(everywhere, lab, kind) for kind in (kinds.POD, kinds.SERVICE, kinds.named("node"))]
        texts = dict(zip((place.name for place in places), pool.map(read, places), strict=True))
        pods, services, nodes = (each.result() for each in found)
    notes = []
    if any("table ip kubelab-ipvs " in said.get("nft", "") for said, _ in texts.values()):
        notes.append(_STANDIN)
    recent = {name: lists for name, (_, lists) in texts.items()}
    whole = picture({name: said for name, (said, _) in texts.items()}, _seen(lab, pods), recent=recent)
    return Survey(whole, tuple(services), lab.namespace, _networks(nodes, services), tuple(notes), not kernel)


def everywhere(lab: Lab, kind: kinds.Kind) -> list[Object]:
    """The objects of a kind in all namespaces; in the lab's own where only that may be seen."""
    path = kind._replace(namespaced=False).path("")
    try:
        return list(lab.api.request("GET", path).get("items") or ())
    except ApiError as error:
        if error.status not in (403, 404):
            raise
    return lab.objects.find(kind) if kind.namespaced else []


def seen_nodes(lab: Lab) -> list[Object]:
    """The nodes as the API has them. Raises `Lacking` where nobody shows them."""
    found = everywhere(lab, kinds.named("node"))
    if not found:
        raise Lacking("you may not see the nodes of this cluster; an embedded one shows its own.")
    return found


def called(object_: Object, namespace: str) -> str:
    """``web``, or ``shop/web`` for one of another namespace than the lab's."""
    metadata = object_["metadata"]
    return metadata["name"] if metadata["namespace"] == namespace else f"{metadata['namespace']}/{metadata['name']}"


def balancers(service: Object) -> list[str]:
    """The addresses of a Service's load balancer."""
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return [each["ip"] for each in ingress if "ip" in each]


def addresses_of(service: Object) -> list[str]:
    """Every address that a Service has: its own, external ones, a load balancer's."""
    spec = service["spec"]
    own = spec.get("clusterIPs") or [spec.get("clusterIP") or ""]
    return [
        address
        for address in (*own, *(spec.get("externalIPs") or ()), *balancers(service))
        if address not in ("", "None")
    ]


def _seen(lab: Lab, pods: Iterable[Object]) -> dict[str, tuple[str, str]]:
    """Alias → address and node, of pods with a network of their own; those of other namespaces with the namespace."""
    by_namespace: dict[str, list[Object]] = {}
    for pod in pods:
        if not pod["spec"].get("hostNetwork"):
            by_namespace.setdefault(pod["metadata"]["namespace"], []).append(pod)
    found = {}
    for namespace, theirs in by_namespace.items():
        own = namespace == lab.namespace
        for each in (lab.aliases if own else Aliases()).view(theirs):
            if each.ip and each.node and each.phase not in ("Succeeded", "Failed"):
                found[each.alias if own else f"{namespace}/{each.alias}"] = (each.ip, each.node)
    return found


def _networks(nodes: Iterable[Object], services: Iterable[Object]) -> dict[str, str]:
    """The ranges of pods and Services: a node's are known, a cluster's are the usual networks around them."""
    found: dict[str, str] = {}
    ranges = []
    for node in nodes:
        for text in node["spec"].get("podCIDRs") or ([node["spec"]["podCIDR"]] if node["spec"].get("podCIDR") else []):
            found[text] = f"pods of {node['metadata']['name']}"
            ranges.append(ipaddress.ip_network(text))
    for net in ranges:
        found.setdefault(str(net.supernet(new_prefix=16)), "pods") if net.version == 4 and net.prefixlen > 16 else None
    for service in services:
        for text in service["spec"].get("clusterIPs") or ():
            if text != "None" and ":" not in text:
                found.setdefault(str(ipaddress.ip_network(f"{text}/16", strict=False)), "Services")
    return found
