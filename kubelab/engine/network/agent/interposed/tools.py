"""The tools that look at the network of a place: answered for, since what they would look at is not in the kernel."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence

from kubelab.engine.network.agent.interposed import conntrack_tool, ip_tool, iptables_tool, nft_tool
from kubelab.engine.network.agent.interposed.links import Links
from kubelab.engine.network.agent.interposed.output import Output
from kubelab.engine.network.agent.interposed.places import Site
from kubelab.engine.network.agent.interposed.routing import Map
from kubelab.engine.network.agent.interposed.tracking import Tracking

_OF_NODES = re.compile(r"nft|conntrack|ip6?tables.*")
_UNANSWERED = {
    "ss": "sockets of the whole machine would be shown; `conntrack -L` in a node shows connections",
    "netstat": "sockets of the whole machine would be shown; `conntrack -L` in a node shows connections",
    "tcpdump": "packets pass no interface here; `iptables-save -c` in a node counts them",
}


class Tools:
    """Answers for the tools of every place."""

    def __init__(self, places: Map, tracking: Tracking, rules_changed: Callable[[], None]) -> None:
        self._map, self._tracking, self._rules_changed = places, tracking, rules_changed
        self._links = Links(places)

    def answer(self, site: Site, argv: Sequence[str], stdin: int) -> Output | None:
        """What the tool would have done; None for one that can be started as it is."""
        name, words = os.path.basename(argv[0]), list(argv[1:])
        if name == "ip":
            return ip_tool.answer(self._links, site, words)
        if name in _UNANSWERED:
            return Output(1, stderr=f"{name}: not answered in this network: {_UNANSWERED[name]}.\n")
        host = self._map.hosts.get(site.node) if site.place.kind == "node" else None
        if host is None:
            said = f"{name}: only nodes have rules and a connection table in this network.\n"
            return Output(1, stderr=said) if _OF_NODES.fullmatch(name) else None
        if name == "conntrack":
            return conntrack_tool.answer(self._tracking, host.spec.name, words)
        if name == "nft":
            output: Output | None = nft_tool.answer(host.nft, words, lambda: _content(stdin))
        else:
            output = iptables_tool.answer(host, name, words, lambda: _content(stdin))
        if output is not None:
            self._rules_changed()
        return output


def _content(file: int) -> str:
    os.lseek(file, 0, os.SEEK_SET)
    with open(file, "rb", closefd=False) as reader:
        return reader.read().decode()
