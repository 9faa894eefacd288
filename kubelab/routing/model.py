"""A routing table, whichever API it was written in.

    Table ─ Entrance (an address's port) ─ Listener (by host name) ─ VirtualHost ─ Route (in order of precedence)

A request is given to the entrance that it came in by, to the listener and in it to the virtual host whose name fits
its host best, and to the first route of that host that matches. Whoever builds a table has put the routes in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

PathKind = Literal["Exact", "Prefix", "RegularExpression"]
"""``Prefix`` is by elements of the path, not by characters: ``/aaa/bb`` is no prefix of ``/aaa/bbb``."""

Wildcard = Literal["one label", "any labels"]
"""What ``*.`` stands for: exactly one label in an Ingress, one or more in the Gateway API."""

Protocol = Literal["HTTP/1.1", "h2c"]
"""What a backend speaks, by the Service port's ``appProtocol`` (KEP-3726); WebSocket is an upgrade of HTTP/1.1."""


class ObjectName(NamedTuple):
    """An object of the API."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Origin(NamedTuple):
    """Where in the learner's objects something is written."""

    object: ObjectName
    field: str = ""
    """``spec.rules[0].http.paths[1]``."""

    def __str__(self) -> str:
        return f"{self.object} {self.field}".rstrip()


class Problem(NamedTuple):
    """What is wrong with an object; the rest of it goes on being served. ``reason`` is that of an Event."""

    origin: Origin
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.message}"


class PathMatch(NamedTuple):
    kind: PathKind = "Prefix"
    value: str = "/"


class ValueMatch(NamedTuple):
    """A header (its name in lower case) or a query parameter that must be there with this value."""

    name: str
    value: str
    regular_expression: bool = False


@dataclass(frozen=True)
class Match:
    """All of it must hold. Without anything it holds for every request."""

    path: PathMatch = field(default_factory=PathMatch)
    method: str = ""
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()


class ServicePort(NamedTuple):
    """A port of a Service, by its number: the name in the API, resolved."""

    namespace: str
    service: str
    port: int

    def __str__(self) -> str:
        return f"{self.namespace}/{self.service}:{self.port}"


class Endpoint(NamedTuple):
    """A pod behind a Service's port."""

    ip: str
    port: int
    pod: str = ""


@dataclass(frozen=True)
class Upstream:
    """Where the requests for a Service's port go: its ready endpoints, sorted; none of them means 503."""

    endpoints: tuple[Endpoint, ...] = ()
    protocol: Protocol = "HTTP/1.1"


class Backend(NamedTuple):
    """One share of a route's requests. Without a ``service`` its share is answered with ``status``."""

    service: ServicePort | None
    weight: int = 1
    status: int = 500
    why: str = ""
    """Why there is no service, in words."""


class HeaderChange(NamedTuple):
    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class Forward:
    """Send it on, to one of the backends by weight."""

    backends: tuple[Backend, ...]
    request_headers: HeaderChange = field(default_factory=HeaderChange)
    response_headers: HeaderChange = field(default_factory=HeaderChange)
    rewrite_host: str = ""
    rewrite_path: PathMatch | None = None
    """``Exact``: the whole path becomes this; ``Prefix``: what the route's own prefix matched does."""
    timeout_seconds: float | None = None
    """For the whole request; None: the proxy's default, 0: none."""
    backend_timeout_seconds: float | None = None


@dataclass(frozen=True)
class Redirect:
    """Answer with another place to ask. What is empty stays as the request had it."""

    status: int = 302
    scheme: str = ""
    host: str = ""
    port: int = 0
    path: PathMatch | None = None
    """As `Forward.rewrite_path`."""


@dataclass(frozen=True)
class Respond:
    """Answer at once: ``why`` says what is missing."""

    status: int
    why: str


Action = Forward | Redirect | Respond


@dataclass(frozen=True)
class Route:
    """What happens to requests that match."""

    match: Match
    action: Action
    origin: Origin


@dataclass(frozen=True)
class VirtualHost:
    """The routes of a host name: ``shop.example.test``, ``*.example.test``, or empty for every host."""

    host: str
    routes: tuple[Route, ...]
    wildcard: Wildcard = "one label"


@dataclass(frozen=True)
class Certificate:
    """A Secret of type kubernetes.io/tls, and the names (SNI) for which it is served."""

    secret: ObjectName
    names: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True)
class Listener:
    """The hosts of an entrance that end in ``hostname`` (empty: all); no match in it means 404, not the next one."""

    hostname: str = ""
    hosts: tuple[VirtualHost, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    origin: Origin | None = None
    wildcard: Wildcard = "any labels"


@dataclass(frozen=True)
class Entrance:
    """A port where requests come in: that of all Ingresses together (no ``owner``), or a Gateway's."""

    port: int
    tls: bool = False
    listeners: tuple[Listener, ...] = (Listener(),)
    owner: ObjectName | None = None


@dataclass(frozen=True)
class Table:
    """Everything that is routed, and what of the objects could not be."""

    entrances: tuple[Entrance, ...] = ()
    upstreams: Mapping[ServicePort, Upstream] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    served: tuple[ObjectName, ...] = ()
    """The objects that this table was made from, of the kinds that get a status: Ingresses, Gateways, HTTPRoutes."""


def together(*tables: Table) -> Table:
    """One table of several that were made from the same objects."""
    return Table(
        entrances=tuple(each for table in tables for each in table.entrances),
        upstreams={port: upstream for table in tables for port, upstream in table.upstreams.items()},
        problems=tuple(each for table in tables for each in table.problems),
        served=tuple(each for table in tables for each in table.served),
    )
