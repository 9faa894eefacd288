"""What plugins share: a question goes through a chain of handlers until one of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from kubelab.engine.client import Client
from kubelab.engine.dns import wire
from kubelab.engine.dns.corefile import Directive, Line
from kubelab.engine.dns.message import Message
from kubelab.engine.dns.records import Question
from kubelab.engine.metrics import Metrics
from kubelab.engine.plain_http import Answer

Address = tuple[str, int]


@dataclass(frozen=True)
class Query:
    """A request that is being answered."""

    request: wire.DNSRecord
    question: Question
    data: bytes
    """The request as it came."""
    udp: bool
    client: Address

    @property
    def protocol(self) -> str:
        """``udp`` or ``tcp``."""
        return "udp" if self.udp else "tcp"


@dataclass(frozen=True)
class Reply:
    """An answer and the plugin that gave it, or was the last to change it."""

    message: Message
    plugin: str


class Failed(Exception):
    """No answer: the server says ``rcode``. The text is the reason; without one nothing is logged."""

    def __init__(self, reason: str = "", rcode: str = "SERVFAIL") -> None:
        super().__init__(reason)
        self.rcode = rcode


class Fatal(Exception):
    """The server must not go on (a loop of name servers)."""


Handler = Callable[[Query], Awaitable[Reply]]


class Endpoint(NamedTuple):
    """Where HTTP is answered."""

    host: str
    port: int


Pages = dict[tuple[Endpoint, str], Callable[[], Answer]]
"""Where, and which path → what is sent."""


@dataclass(frozen=True)
class Site:
    """What plugins are told of the server block that they stand in."""

    zones: tuple[str, ...]
    """Those of the server block, without the last dot; the root is the empty string."""
    port: int
    metrics: Metrics
    client: Callable[[], Client]
    ask: Handler
    """The whole server, for names that an answer leads to."""
    listening: asyncio.Event
    """Set when questions can come in."""
    own: Sequence[str] = ()
    """The pod's addresses."""
    resolv_conf: str = ""
    """The text of ``/etc/resolv.conf``."""

    @property
    def server(self) -> str:
        """Its name in metrics."""
        return f"dns://:{self.port}"

    def labels(self, name: str) -> dict[str, str]:
        """Which server, zone and view a metric of a question is of."""
        return {"server": self.server, "zone": f"{within(name, self.zones) or ''}.", "view": ""}


class Plugin:
    """A plugin of one server block, made of its directives. Raises `CorefileError` for what it cannot understand."""

    name: ClassVar[str]
    repeats: ClassVar[bool] = False
    """Whether it may stand in a server block several times."""

    def __init__(self, directives: Sequence[Directive], site: Site) -> None:
        self.site = site

    def wrap(self, following: Handler) -> Handler:
        """The chain from here on; a plugin that only sets something up leaves it as it is."""
        return following

    @property
    def ready(self) -> bool:
        """Whether questions can be answered."""
        return True

    async def start(self) -> None:
        """Before the first question."""

    async def until_ready(self) -> None:
        """Wait until questions can be answered."""

    async def stop(self) -> None:
        """After the last question."""

    async def run(self) -> None:
        """Beside the questions, until cancelled or done. What it raises ends the server."""

    def pages(self) -> Pages:
        """What is answered over HTTP."""
        return {}


def options(directive: Directive, known: Mapping[str, Callable[[Line], object]]) -> None:
    """Read the block by name of option. Raises `CorefileError`."""
    for line in directive.block:
        if line.name not in known:
            raise line.wrong(f"unknown property '{line.name}'")
        known[line.name](line)


def endpoint(line: Line, default: str) -> Endpoint:
    """``:9153`` → every address, port 9153."""
    if len(line.args) > 1:
        raise line.wrong_arguments()
    host, _, port = (line.args[0] if line.args else default).rpartition(":")
    if not port.isdecimal():
        raise line.wrong(f"'{line.args[0]}' is not an address with a port")
    return Endpoint({"": "0.0.0.0", "localhost": "127.0.0.1"}.get(host, host), int(port))


def zone_of(text: str) -> str:
    """``Example.Test.`` → ``example.test``; the root is the empty string."""
    return text.lower().rstrip(".")


def within(name: str, zones: Sequence[str]) -> str | None:
    """The longest of ``zones`` that ``name`` is in, or None."""
    name = name.lower()
    found = [zone for zone in zones if not zone or name == zone or name.endswith(f".{zone}")]
    return max(found, key=len, default=None)


class Fallthrough:
    """For which names another plugin is asked when this one does not know them."""

    def __init__(self) -> None:
        self.zones: tuple[str, ...] = ()

    def set(self, args: Sequence[str]) -> None:
        """All names, or those in the zones given."""
        self.zones = tuple(map(zone_of, args)) or ("",)

    def __call__(self, name: str) -> bool:
        return within(name, self.zones) is not None
