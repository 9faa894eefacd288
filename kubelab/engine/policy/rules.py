"""A node's rules for its isolated pods: one nftables table, empty of everything while nobody is isolated.

Packets are judged where the node passes them on (and, from its own pods, takes them in), after the Service's address
has become an endpoint's, and only the first of a connection: what is established goes on. The node itself always
reaches its pods, as kubelet's probes must; that is not on this path.
"""

from __future__ import annotations

import ipaddress
import zlib
from collections.abc import Iterable

from kubelab.engine.policy.isolation import Allowed, Isolated, Ports

TABLE = "kubelab-network-policies"
_PRIORITY = -5
"""Before kube-proxy's filter chains, which accept what is theirs."""
_ADDRESS = {"Ingress": "saddr", "Egress": "daddr"}
_POD = {"Ingress": "daddr", "Egress": "saddr"}


def script(isolated: Iterable[Isolated]) -> str:
    """What ``nft -f`` loads in one transaction: the table anew, or none when nobody is isolated."""
    pods = list(isolated)
    gone = f"table ip {TABLE}\ndelete table ip {TABLE}\n"
    return gone + _table(pods) if pods else gone


def _table(pods: list[Isolated]) -> str:
    lines = [f"table ip {TABLE} {{"]
    for one in pods:
        lines += _pod_chain(one)
    for hook, directions in (("forward", ("Egress", "Ingress")), ("input", ("Egress",))):
        lines += [f"\tchain {hook} {{", f"\t\ttype filter hook {hook} priority {_PRIORITY}; policy accept;",
                  "\t\tct state established,related accept"]  # fmt: skip
        for direction in directions:
            jumps = ", ".join(f"{one.pod.ip} : jump {_chain(one)}" for one in pods if one.direction == direction)
            if jumps:
                lines.append(f"\t\tip {_POD[direction]} vmap {{ {jumps} }}")
        lines.append("\t}")
    return "\n".join([*lines, "}", ""])


def _chain(one: Isolated) -> str:
    """Readable and short enough for nft's 128 characters; the checksum tells long names apart."""
    whole = f"{one.pod.namespace}/{one.pod.name}"
    return f"{one.direction.lower()}-{zlib.crc32(whole.encode()):08x}-{one.pod.name[:60].replace('.', '-')}"


def _pod_chain(one: Isolated) -> list[str]:
    comment = ", ".join(one.policies)[:120]
    rules = [f"\t\t{rule}" for allowed in one.allowed for rule in _rules(allowed, one)]
    return [f"\tchain {_chain(one)} {{", *rules, f'\t\tcounter drop comment "{comment}"', "\t}"]


def _rules(allowed: Allowed, one: Isolated) -> Iterable[str]:
    peer = ""
    if allowed.addresses is not None:
        peer = f"ip {_ADDRESS[one.direction]} {_set(_merged(allowed.addresses))} "
    if allowed.excepted:
        peer += f"ip {_ADDRESS[one.direction]} != {_set(_merged(allowed.excepted))} "
    if allowed.ports is None:
        yield f"{peer}return"
        return
    for protocol in sorted({ports.protocol for ports in allowed.ports}):
        ranges = _ranges(ports for ports in allowed.ports if ports.protocol == protocol)
        yield f"{peer}{protocol} dport {_set(ranges)} return"


def _set(values: list[str]) -> str:
    return values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"


def _merged(addresses: Iterable[str]) -> list[str]:
    """IPv4 addresses and ranges without overlaps, which nft refuses in a set. IPv6 has no pods here to reach."""
    networks = [ipaddress.ip_network(each, strict=False) for each in addresses if ":" not in each]
    merged = ipaddress.collapse_addresses(network for network in networks if network.version == 4)
    found = [str(each.network_address) if each.prefixlen == 32 else str(each) for each in merged]
    return found or ["255.255.255.255"]


def _ranges(ports: Iterable[Ports]) -> list[str]:
    """Joined where they meet or overlap."""
    joined: list[tuple[int, int]] = []
    for one in sorted(ports):
        if joined and one.first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], one.last))
        else:
            joined.append((one.first, one.last))
    return [str(first) if first == last else f"{first}-{last}" for first, last in joined]
