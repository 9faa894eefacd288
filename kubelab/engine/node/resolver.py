"""A pod's /etc/resolv.conf by ``dnsPolicy`` and ``dnsConfig``, within the limits that resolvers have.

Sources: kubernetes.io, "DNS for Services and Pods"; KEP-2595 (32 search domains, 2048 characters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.client import Object
from kubelab.engine.config import CLUSTER_DOMAIN, DNS_SERVICE_IP

MOST_NAMESERVERS = 3
MOST_SEARCHES = 32
MOST_SEARCH_CHARACTERS = 2048


@dataclass
class Resolver:
    """What the file says, and what did not fit in."""

    nameservers: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    options: dict[str, str | None] = field(default_factory=dict)
    omissions: list[str] = field(default_factory=list)
    """A sentence for the pod's events, for each limit that was exceeded."""

    @property
    def text(self) -> str:
        """The file."""
        lines = [f"search {' '.join(self.search)}"] if self.search else []
        lines += [f"nameserver {address}" for address in self.nameservers]
        if self.options:
            words = [name if value is None else f"{name}:{value}" for name, value in self.options.items()]
            lines.append(f"options {' '.join(words)}")
        return "".join(f"{line}\n" for line in lines)

    def limit(self) -> None:
        """Leave out what no resolver would read, and say so in kubelet's words."""
        wanted = len(self.search)
        self.search = self.search[:MOST_SEARCHES]
        while len(" ".join(self.search)) > MOST_SEARCH_CHARACTERS:
            self.search.pop()
        if len(self.search) < wanted:
            self._omitted("Search Line", "search paths", "search line", self.search)
        if len(self.nameservers) > MOST_NAMESERVERS:
            self.nameservers = self.nameservers[:MOST_NAMESERVERS]
            self._omitted("Nameserver", "nameservers", "nameserver line", self.nameservers)

    def _omitted(self, what: str, things: str, line: str, applied: list[str]) -> None:
        said = f"{what} limits were exceeded, some {things} have been omitted"
        self.omissions.append(f"{said}, the applied {line} is: {' '.join(applied)}")


def resolver_of(pod: Object, machine_file: Path = Path("/etc/resolv.conf")) -> Resolver:
    """The pod's resolver; ``machine_file`` is read for ``dnsPolicy: Default``."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    found = Resolver()
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        namespace = pod["metadata"]["namespace"]
        search = [f"{namespace}.svc.{CLUSTER_DOMAIN}", f"svc.{CLUSTER_DOMAIN}", CLUSTER_DOMAIN]
        found = Resolver([DNS_SERVICE_IP], search, {"ndots": "5"})
    elif policy == "Default":
        found = _read(machine_file)
    extra = spec.get("dnsConfig") or {}
    found.nameservers = list(dict.fromkeys([*found.nameservers, *(extra.get("nameservers") or ())]))
    found.search = list(dict.fromkeys([*found.search, *(extra.get("searches") or ())]))
    found.options |= {option["name"]: option.get("value") for option in extra.get("options") or ()}
    found.limit()
    return found


def _read(path: Path) -> Resolver:
    found = Resolver()
    for line in path.read_text().splitlines() if path.exists() else ():
        match line.split():
            case ["nameserver", address, *_]:
                found.nameservers.append(address)
            case ["search", *domains]:
                found.search = domains
            case ["options", *words]:
                for word in words:
                    name, colon, value = word.partition(":")
                    found.options[name] = value if colon else None
    return found
