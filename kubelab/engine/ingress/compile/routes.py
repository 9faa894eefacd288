"""An entrance's listeners and virtual hosts as one Envoy route configuration.

Envoy picks a virtual host by the longest name that fits and then looks at its routes only; its ``*.example.org`` stands
for any number of labels. Where an Ingress means exactly one, every route asks for that itself, and the routes of the
next best host follow for the names with more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from kubelab.engine.ingress.compile.actions import Asked, action, respond
from kubelab.routing.decide import MISDIRECTED
from kubelab.routing.gateway.hostnames import covers
from kubelab.routing.model import Entrance, Listener, Match, Respond, Route, Table, ValueMatch, VirtualHost
from kubelab.routing.paths import effective
from kubelab.routing.request import DEFAULT_PORTS

Object = dict[str, Any]

NO_RULE = "no rule matches this host and path"

_EVERY_HEADER = [
    ("X-Forwarded-For", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("X-Forwarded-Host", "%REQ(:AUTHORITY)%"),
]
"""Replaced, not added to: nothing stands before this proxy whose word could be trusted. Envoy itself sets
``X-Forwarded-Proto`` and ``X-Request-Id``."""


class Scope(NamedTuple):
    """Listeners of an entrance among which a request's host decides."""

    entrance: Entrance
    listeners: tuple[Listener, ...]

    @property
    def name(self) -> str:
        """``Gateway default/edge:443 *.example.test``: that of the route configuration."""
        name = f"{self.entrance.owner or 'ingress'}:{self.entrance.port}"
        return name if self.listeners == self.entrance.listeners else f"{name} {self.hostname or 'others'}"

    @property
    def hostname(self) -> str:
        """Of a listener that is alone; empty for all other hosts."""
        return self.listeners[0].hostname if len(self.listeners) == 1 else ""


def scopes(entrance: Entrance) -> tuple[Scope, ...]:
    """All listeners together; with TLS each alone, as the name in the handshake has chosen it already (or none)."""
    if not entrance.tls:
        return (Scope(entrance, entrance.listeners),)
    alone = tuple(Scope(entrance, (each,)) for each in entrance.listeners)
    return alone if any(not each.hostname for each in alone) else (*alone, Scope(entrance, ()))


def route_configurations(table: Table) -> dict[str, Object]:
    """Name of a `Scope` → its route configuration; those of one owner whose hosts are the same share one."""
    by_hosts: dict[tuple[object, ...], Object] = {}
    found = {}
    for entrance in table.entrances:
        for scope in scopes(entrance):
            others = tuple(each.hostname for each in entrance.listeners)
            hosts = entrance.owner, others, tuple(map(_routes_of, scope.listeners)), unusual_port(entrance)
            if hosts not in by_hosts:
                by_hosts[hosts] = _configuration(scope)
            found[scope.name] = by_hosts[hosts]
    return found


def _routes_of(listener: Listener) -> tuple[object, ...]:
    """All of it but what has nothing to do with routing."""
    return listener.hostname, listener.wildcard, listener.hosts


def unusual_port(entrance: Entrance) -> int:
    """The entrance's port where the scheme does not say it already, so that it stands in Host headers; else 0."""
    return 0 if entrance.port == DEFAULT_PORTS["https" if entrance.tls else "http"] else entrance.port


def _configuration(scope: Scope) -> Object:
    hosts = {each.domain: each for each in reversed(list(_hosts(scope)))}
    return {
        "name": scope.name,
        "ignore_port_in_host_matching": True,
        "request_headers_to_remove": ["x-envoy-external-address"],
        "max_direct_response_body_size_bytes": 65536,
        "request_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in _EVERY_HEADER
        ],
        "virtual_hosts": [
            _virtual_host(hosts[domain], hosts, unusual_port(scope.entrance)) for domain in sorted(hosts)
        ],
    }


class _Host(NamedTuple):
    domain: str
    """As Envoy writes it; ``*`` for every host."""
    one_label: bool
    routes: tuple[Route, ...]


def _hosts(scope: Scope) -> Iterable[_Host]:
    """The narrowest listener comes first, and what it covers is its own, even where it is none of the scope."""
    narrower: list[str] = []
    for listener in scope.entrance.listeners:
        if listener in scope.listeners:
            for host in listener.hosts:
                if not any(covers(each, host.host or listener.hostname) for each in narrower):
                    yield _host(host, listener)
            if listener.hostname:  # what its hosts leave over is nobody's, not the next listener's
                yield _host(VirtualHost("", ()), listener)
        elif listener.origin:
            elsewhere = Route(Match(), Respond(MISDIRECTED, "this host is another listener's"), listener.origin)
            yield _host(VirtualHost("", (elsewhere,)), listener)
        if listener.hostname:
            narrower.append(listener.hostname)


def _host(host: VirtualHost, listener: Listener) -> _Host:
    name, wildcard = (host.host, host.wildcard) if host.host else (listener.hostname, listener.wildcard)
    return _Host(name.lower() or "*", name.startswith("*.") and wildcard == "one label", host.routes)


def _virtual_host(host: _Host, others: dict[str, _Host], port: int) -> Object:
    guard = _one_label(host.domain) if host.one_label else None
    asked = Asked("" if host.domain.startswith("*") else host.domain, port)
    routes = [made for route in host.routes if (made := _route(route, guard, asked)) is not None]
    if guard is not None:
        routes.append({"match": {"prefix": "/", "headers": [guard]}, **respond(404, NO_RULE)})
        next_best = _next_best(host.domain, others)
        routes += [made for route in next_best if (made := _route(route, None, asked)) is not None]
    return {"name": host.domain, "domains": [host.domain], "routes": routes}


def _next_best(domain: str, others: dict[str, _Host]) -> tuple[Route, ...]:
    """The routes for a name that ``*.example.org`` does not mean, as it has one label more."""
    labels = domain.removeprefix("*.").split(".")
    for at in range(1, len(labels)):
        wider = others.get("*." + ".".join(labels[at:]))
        if wider is not None and not wider.one_label:
            return wider.routes
    return others["*"].routes if "*" in others else ()


def _one_label(domain: str) -> Object:
    pattern = rf"[^.:]+\.{re.escape(domain.removeprefix('*.'))}(:[0-9]+)?"
    return {"name": ":authority", "string_match": {"safe_regex": {"regex": f"(?i){pattern}"}}}


def _route(route: Route, guard: Object | None, asked: Asked) -> Object | None:
    """None for a route that no request can match: a path has no ``?``."""
    match = _match(route.match)
    if match is None:
        return None
    if guard is not None:
        match["headers"] = [*match.get("headers", ()), guard]
    return {"name": str(route.origin), "match": match, **action(route.action, route.match.path, asked)}


def _match(match: Match) -> Object | None:
    path = _path(match)
    if path is None:
        return None
    headers = [_header(each) for each in match.headers]
    if match.method:
        headers.append(_header(ValueMatch(":method", match.method)))
    query = [_query(each) for each in match.query]
    return {**path, **({"headers": headers} if headers else {}), **({"query_parameters": query} if query else {})}


def _path(match: Match) -> Object | None:
    kind, value = match.path
    if kind == "RegularExpression":
        return {"safe_regex": {"regex": value}}
    if "?" in value or "#" in value:
        return None
    if kind == "Exact":
        return {"path": value}
    prefix = effective(match.path)
    if prefix.endswith("/"):  # only an ImplementationSpecific path may be so odd
        return {"safe_regex": {"regex": f"{re.escape(prefix)}(/.*)?"}}
    return {"path_separated_prefix": prefix} if prefix else {"prefix": "/"}


def _header(wanted: ValueMatch) -> Object:
    return {"name": wanted.name, "string_match": _string(wanted)}


def _query(wanted: ValueMatch) -> Object:
    return {"name": wanted.name, "string_match": _string(wanted)}


def _string(wanted: ValueMatch) -> Object:
    return {"safe_regex": {"regex": wanted.value}} if wanted.regular_expression else {"exact": wanted.value}
