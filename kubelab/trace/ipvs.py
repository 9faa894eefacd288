"""Virtual servers of the kernel's IPVS (ipvsadm(8)).

Read as ``ipvsadm -Sn``, ``ipvsadm -Ln`` or /proc/net/ip_vs show them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kubelab.trace.errors import CannotRead
from kubelab.trace.packet import endpoint

Key = tuple[str, str, int]
"""Protocol, address and port of a virtual server."""

_OPTIONS = {"-t": "tcp", "-u": "udp", "--tcp-service": "tcp", "--udp-service": "udp", "--sctp-service": "sctp"}
_HEX = re.compile(r"([0-9A-F]{8}):([0-9A-F]{4})")
_PASSED_OVER = ("IP Virtual Server", "Prot ", "  -> RemoteAddress", "-> RemoteAddress")


@dataclass(frozen=True, slots=True)
class RealServer:
    """Where a virtual server sends to. ``forwarding``: ``masq`` (addresses are translated), ``route`` or ``tunnel``."""

    address: str
    port: int
    weight: int = 1
    forwarding: str = "masq"

    def __str__(self) -> str:
        return endpoint(self.address, self.port)


@dataclass(slots=True)
class VirtualServer:
    """An address and port that IPVS balances."""

    protocol: str
    address: str
    port: int
    scheduler: str = "wlc"
    persistence: int = 0
    """Seconds that a client stays with its real server; 0: not at all."""
    real_servers: list[RealServer] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As ``ipvsadm -Sn`` writes it."""
        option = {"tcp": "-t", "udp": "-u"}.get(self.protocol, f"--{self.protocol}-service")
        persistent = f" -p {self.persistence}" if self.persistence else ""
        return f"-A {option} {endpoint(self.address, self.port)} -s {self.scheduler}{persistent}"

    def line_of(self, real: RealServer) -> str:
        """One of its real servers, as ``ipvsadm -Sn`` writes it."""
        option = {"masq": "-m", "route": "-g", "tunnel": "-i"}.get(real.forwarding, "-m")
        return f"{self.text.replace('-A', '-a', 1).partition(' -s ')[0]} -r {real} {option} -w {real.weight}"


@dataclass
class Ipvs:
    """One node's virtual servers."""

    servers: dict[Key, VirtualServer] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __contains__(self, key: Key) -> bool:
        return key in self.servers


def read_ipvs(text: str) -> Ipvs:
    """Any of the three forms. What is not understood is noted. Raises `CannotRead` when nothing is."""
    found = Ipvs()
    last: VirtualServer | None = None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(_PASSED_OVER)]
    for line in lines:
        try:
            last = _line(found, line.split(), last)
        except (IndexError, KeyError, ValueError, StopIteration):
            found.notes.append(f"a line of IPVS is not understood and passed over: {line.strip()[:60]}")
    if lines and not found.servers and len(found.notes) == len(lines):
        raise CannotRead(f"This is not the output of `ipvsadm -Sn`: {lines[0].strip()[:60]!r}.")
    return found


def _line(found: Ipvs, words: list[str], last: VirtualServer | None) -> VirtualServer | None:
    if words[0] in ("-A", "-a"):
        return _saved(found, words)
    if words[0] in ("TCP", "UDP", "SCTP"):
        server = VirtualServer(words[0].lower(), *_end(words[1]), words[2])
        if "persistent" in words:
            server.persistence = int(words[words.index("persistent") + 1])
        found.servers[server.protocol, server.address, server.port] = server
        return server
    if words[0] == "->":
        if last is None:
            return None
        last.real_servers.append(RealServer(*_end(words[1]), int(words[3]), words[2].lower()))
        return last
    if words[0] == "FWM":
        found.notes.append(f"the virtual server for firewall mark {words[1]} is left out")
        return None
    raise ValueError(words[0])


def _saved(found: Ipvs, words: list[str]) -> VirtualServer | None:
    options = dict(zip(words[1:], [*words[2:], ""], strict=True))
    if "-f" in options:
        if words[0] == "-A":
            found.notes.append(f"the virtual server for firewall mark {options['-f']} is left out")
        return None
    option = next(each for each in _OPTIONS if each in options)
    key = (_OPTIONS[option], *_end(options[option]))
    if words[0] == "-A":
        found.servers[key] = VirtualServer(*key, options.get("-s", "wlc"), int(options.get("-p", "0")))
        return found.servers[key]
    forwarding = "route" if "-g" in options else "tunnel" if "-i" in options else "masq"
    found.servers[key].real_servers.append(RealServer(*_end(options["-r"]), int(options.get("-w", "1")), forwarding))
    return found.servers[key]


def _end(text: str) -> tuple[str, int]:
    """``10.96.0.1:443``, ``[fd00::1]:443``, or hexadecimal as in /proc/net/ip_vs."""
    if number := _HEX.fullmatch(text):
        return str(ipaddress.ip_address(int(number[1], 16))), int(number[2], 16)
    address, _, port = text.rpartition(":")
    return str(ipaddress.ip_address(address.strip("[]"))), int(port)


def chances(server: VirtualServer) -> tuple[tuple[RealServer, float, str], ...]:
    """Whom a new client may meet: real server, probability, and what is assumed where the texts do not tell."""
    usable = [real for real in server.real_servers if real.weight > 0]
    judge = _SCHEDULERS.get(server.scheduler)
    if judge is None and len(usable) > 1:
        why = f"the scheduler {server.scheduler!r} goes by what is not in the texts; it picks"
        return tuple((real, 1.0, f"{why} {real}") for real in usable)
    weights = [judge(real) if judge else 1 for real in usable]
    return tuple((real, weight / sum(weights), "") for real, weight in zip(usable, weights, strict=True))


_SCHEDULERS: Mapping[str, Callable[[RealServer], int]] = {"rr": lambda _: 1, "wrr": lambda real: real.weight}
"""Schedulers whose next pick is as good as chance to who does not know their last one."""
