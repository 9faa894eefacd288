"""What the machine outside does with addresses that lead to nodes: a load balancer in packet-filter rules.

It changes no address. A connection gets the mark of a node, by which it is routed there (`topology.py`), and
conntrack remembers the mark: as load balancers that pass packets on track connections, an open TCP connection stays
with its node until it ends, while a UDP flow leaves a node that is no longer among the healthy ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def balancing_rules(addresses: Mapping[str, Sequence[int]]) -> str:
    """The outside's whole mangle table, for ``iptables-restore``: address → marks of the nodes that share it."""
    marks = sorted({mark for marks in addresses.values() for mark in marks})
    chains = ["OUTPUT ACCEPT", *(f"{_balance(ip)} -" for ip in addresses), *(f"{_send(mark)} -" for mark in marks)]
    rules = [rule for ip, its in addresses.items() for rule in _address_rules(ip, its)]
    for mark in marks:
        rules += [f"-A {_send(mark)} -j MARK --set-mark {mark}", f"-A {_send(mark)} -j CONNMARK --save-mark"]
    return "\n".join(["*mangle", *(f":{chain} [0:0]" for chain in chains), *rules, "COMMIT", ""])


def _address_rules(ip: str, marks: Sequence[int]) -> list[str]:
    chain = _balance(ip)
    rules = [
        f"-A OUTPUT -d {ip}/32 -j {chain}",
        f"-A {chain} -j CONNMARK --restore-mark",
        f"-A {chain} -p tcp -m mark ! --mark 0 -m conntrack --ctstate ESTABLISHED -j RETURN",
        *(f"-A {chain} -m mark --mark {mark} -j RETURN" for mark in marks),
    ]
    for left, mark in zip(range(len(marks), 0, -1), marks, strict=True):
        draw = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
        rules.append(f"-A {chain}{draw} -g {_send(mark)}")
    if not marks:
        rules.append(f"-A {chain} -j MARK --set-mark 0")
    return rules


def _balance(ip: str) -> str:
    return f"LB-{ip}"


def _send(mark: int) -> str:
    return f"NODE-{mark}"
