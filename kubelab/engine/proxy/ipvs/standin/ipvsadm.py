"""``ipvsadm`` where there is no IPVS: the virtual servers that are evaluated, in its formats (ipvsadm 1.31)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from kubelab.engine.proxy.addresses import with_port
from kubelab.engine.proxy.ipvs.conntrack import Connection
from kubelab.engine.proxy.ipvs.plan import Key, RealServer, VirtualServer
from kubelab.engine.proxy.ipvs.servers import Connections, Open, RealKey, Servers

_HEADER = "IP Virtual Server version 1.2.1 (size=4096)\n"
_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_SERVICE_OPTIONS = {"t": "tcp", "u": "udp", "tcp-service": "tcp", "udp-service": "udp", "sctp-service": "sctp"}


class UsageError(ValueError):
    """Words that are not answered for. The text is a sentence without its end."""


@dataclass
class Command:
    """What was asked."""

    save: bool = False
    stats: bool = False
    entries: bool = False
    """Whether connections are asked for and not servers (``-c``)."""
    only: Key | None = None
    """The one virtual server that is asked for."""

    @classmethod
    def parse(cls, words: Iterable[str]) -> Command:
        """From the words after ``ipvsadm``. Raises `UsageError`."""
        command, rest = cls(), iter(_options(words))
        for option in rest:
            if option in ("S", "save"):
                command.save = True
            elif option == "stats":
                command.stats = True
            elif option in ("c", "connection"):
                command.entries = True
            elif option in _SERVICE_OPTIONS:
                command.only = _service(_SERVICE_OPTIONS[option], next(rest, ""))
            elif option not in ("L", "l", "list", "n", "numeric", "exact", "sort", "nosort"):
                raise UsageError(
                    f"ipvsadm {'-' if len(option) == 1 else '--'}{option} is not answered here: this kernel has no "
                    "IPVS, and what is evaluated in its place can be listed only (-L, -S; -n, --stats, -c)"
                )
        return command


def _options(words: Iterable[str]) -> Iterator[str]:
    """Option names without dashes, single letters apart; other words as they are."""
    for word in words:
        if word.startswith("--"):
            yield word[2:]
        elif word.startswith("-"):
            yield from word[1:]
        else:
            yield word


def _service(protocol: str, text: str) -> Key:
    address, _, port = text.rpartition(":")
    if not port.isdigit():
        raise UsageError(f"{text!r} is not an address and a port, such as 10.96.0.1:443")
    return address.strip("[]"), int(port), protocol


def selected(servers: Servers, only: Key | None) -> list[VirtualServer]:
    """In ipvsadm's order: by protocol, address and port, and the real servers by theirs. Raises `UsageError`."""
    if only and only not in servers:
        raise UsageError("No such service")
    chosen = [servers[only]] if only else list(servers.values())
    chosen.sort(key=lambda each: (_NUMBERS[each.protocol], ipaddress.ip_address(each.address), each.port))
    return [replace(each, real_servers=tuple(sorted(each.real_servers, key=_place))) for each in chosen]


def _place(real: RealServer) -> tuple[bytes, int]:
    return ipaddress.ip_address(real.address).packed, real.port


def saved(servers: Iterable[VirtualServer]) -> str:
    """``ipvsadm -S -n``."""
    return "".join(f"{line}\n" for each in servers for line in each.lines())


def listed(servers: Iterable[VirtualServer], connections: Connections) -> str:
    """``ipvsadm -L -n``."""
    text = _HEADER + "Prot LocalAddress:Port Scheduler Flags\n"
    text += "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
    for server in servers:
        hashed = " (mh-port)" if server.scheduler == "mh" else ""
        persistent = f" persistent {server.persistence}" if server.persistence else ""
        text += f"{_name(server)} {server.scheduler}{hashed}{persistent}\n"
        for real in server.real_servers:
            active, inactive = connections.get(RealKey(server.key, *real[:2]), Open())
            text += f"  -> {with_port(*real[:2]):<28} {'Masq':<7} {real.weight:<6} {active:<10} {inactive:<10}\n"
    return text


def statistics(servers: Iterable[VirtualServer], given: Mapping[RealKey, int]) -> str:
    """``ipvsadm -L -n --stats``: connections given to each; packets and bytes are not counted here."""
    columns = ("Conns", "InPkts", "OutPkts", "InBytes", "OutBytes")
    text = _HEADER + f"{'Prot LocalAddress:Port':<33}{''.join(f' {column:>8}' for column in columns)}\n"
    text += "  -> RemoteAddress:Port\n"
    for server in servers:
        counts = [given.get(RealKey(server.key, *real[:2]), 0) for real in server.real_servers]
        text += f"{_name(server):<33}{_counts(sum(counts))}\n"
        for real, count in zip(server.real_servers, counts, strict=True):
            text += f"  -> {with_port(*real[:2]):<28}{_counts(count)}\n"
    return text


def entries(connections: Iterable[Connection]) -> str:
    """``ipvsadm -L -n -c``; states and times are those of connection tracking."""
    text = "IPVS connection entries\npro expire state       source             virtual            destination\n"
    for each in connections:
        address, port, protocol = each.real.virtual
        minutes, seconds = divmod(each.expire, 60)
        client, virtual = with_port(each.client, each.client_port), with_port(address, port)
        real = with_port(each.real.address, each.real.port)
        text += f"{protocol.upper():<3} {minutes:02}:{seconds:02}  {each.state:<11} {client:<18} {virtual:<18} {real}\n"
    return text


def _name(server: VirtualServer) -> str:
    return f"{server.protocol.upper():<4} {with_port(server.address, server.port)}"


def _counts(connections: int) -> str:
    return f"{connections:>9}{'-':>9}{'-':>9}{'-':>9}{'-':>9}"
