"""The tools of IPVS mode, answered where the kernel has neither IPVS nor sets."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

from kubelab.engine.proxy.ipvs.conntrack import connections
from kubelab.engine.proxy.ipvs.servers import RealKey, Servers
from kubelab.engine.proxy.ipvs.standin import ipset, ipvsadm
from kubelab.engine.proxy.ipvs.standin.carrier import StandIn
from kubelab.engine.proxy.ipvs.standin.changes import table_name
from kubelab.engine.proxy.ipvs.standin.table import real_server_chain

_CHAIN = re.compile(r"^\s*chain (\S+) \{\n((?:.*\n)*?)\s*\}$", re.MULTILINE)
_COUNTER = re.compile(r"counter packets (\d+)")


class Answer(NamedTuple):
    """As of a program that was run to its end."""

    code: int
    stdout: bytes = b""
    stderr: bytes = b""


async def answer(stand_in: StandIn, argv: Sequence[str]) -> Answer | None:
    """What ``ipvsadm`` or ``ipset`` would print; None for any other program, and before anything was loaded.

    The answer says on stderr that it is one.
    """
    program, words, plan = os.path.basename(argv[0]), argv[1:], stand_in.plan
    if plan is None or program not in ("ipvsadm", "ipset"):
        return None
    why = stand_in.detail.partition(": ")[2]
    said = f"kubelab: {why}; this is what kube-proxy would give it, evaluated in table {table_name(plan.family)}.\n"
    try:
        text = ipset.answer(plan, words) if program == "ipset" else await _ipvsadm(stand_in, words)
    except ipvsadm.UsageError as error:
        return Answer(1, stderr=f"{program}: {error}\n".encode())
    return Answer(0, text.encode(), said.encode())


async def _ipvsadm(stand_in: StandIn, words: Sequence[str]) -> str:
    command = ipvsadm.Command.parse(words)
    servers = await stand_in.servers()
    chosen = ipvsadm.selected(servers, command.only)
    if command.save:
        return ipvsadm.saved(chosen)
    if command.entries:
        return ipvsadm.entries(connections(await stand_in.flows(), {each.key for each in chosen}))
    if command.stats:
        return ipvsadm.statistics(chosen, _given(await stand_in.counters(), servers))
    return ipvsadm.listed(chosen, await stand_in.connections())


def _given(listing: str, servers: Servers) -> dict[RealKey, int]:
    """How many connections each real server was given, by the counters of their chains."""
    counts: dict[str, int] = {}
    for name, body in _CHAIN.findall(listing):
        if counter := _COUNTER.search(body):
            counts[name] = int(counter[1])
    return {
        RealKey(key, *real[:2]): counts.get(real_server_chain(server, real), 0)
        for key, server in servers.items()
        for real in server.real_servers
    }
