"""An entrance's listeners and virtual hosts as one Envoy route configuration.

Envoy picks a virtual host by the longest name that fits and then looks at its routes only; its ``*.example.org`` stands
for any number of labels. Where an Ingress means exactly one, every route asks for that itself, and the routes of the
next best host follow for the names with more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from kubelab.engine.ingress.compile.actions import action, respond
from kubelab.routing.model import Entrance, Listener, Match, Route, Table, ValueMatch, VirtualHost
from kubelab.routing.paths import effective

Object = dict[str, Any]

NO_RULE = "no rule matches this host and path"

_EVERY_HEADER = [
    ("X-Forwarded-For", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"),
    ("X-Forwarded-Host", "%REQ(:AUTHORITY)%"),
]
"""Replaced, not added to: nothing stands before this proxy whose word could be trusted. Envoy itself sets
``X-Forwarded-Proto`` and ``X-Request-Id``."""


def route_configurations(table: Table) -> dict[Entrance, Object]:
    """Entrance → its route configuration; those whose hosts are the same share one."""
    by_hosts: dict[tuple[Listener, ...], Object] = {}
    found = {}
    for entrance in table.entrances:
        hosts = tuple(_without_certificates(each) for each in entrance.listeners)
        found[entrance] = by_hosts.setdefault(hosts, _configuration(entrance))
    return found


def _without_certificates(listener: Listener) -> Listener:
    return Listener(listener.hostname, listener.hosts, wildcard=listener.wildcard)


def _configuration(entrance: Entrance) -> Object:
    hosts = {each.domain: each for each in reversed(list(_hosts(entrance)))}
    return {
        "name": f"{entrance.owner or 'ingress'}:{entrance.port}",
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 65536,
        "request_headers_to_add": [
            {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for name, value in _EVERY_HEADER
        ],
        "virtual_hosts": [_virtual_host(hosts[domain], hosts) for domain in sorted(hosts)],
    }


class _Host(NamedTuple):
    domain: str
    """As Envoy writes it; ``*`` for every host."""
    one_label: bool
    routes: tuple[Route, ...]


def _hosts(entrance: Entrance) -> Iterable[_Host]:
    for listener in entrance.listeners:
        for host in listener.hosts:
            yield _host(host, listener)
        if listener.hostname:  # what its hosts leave over is nobody's, not the next listener's
            yield _host(VirtualHost("", ()), listener)


def _host(host: VirtualHost, listener: Listener) -> _Host:
    name, wildcard = (host.host, host.wildcard) if host.host else (listener.hostname, listener.wildcard)
    return _Host(name.lower() or "*", name.startswith("*.") and wildcard == "one label", host.routes)


def _virtual_host(host: _Host, others: dict[str, _Host]) -> Object:
    guard = _one_label(host.domain) if host.one_label else None
    routes = [made for route in host.routes if (made := _route(route, guard)) is not None]
    if guard is not None:
        routes.append({"match": {"prefix": "/", "headers": [guard]}, **respond(404, NO_RULE)})
        next_best = _next_best(host.domain, others)
        routes += [made for route in next_best if (made := _route(route, None)) is not None]
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


def _route(route: Route, guard: Object | None) -> Object | None:
    """None for a route that no request can match: a path has no ``?``."""
    match = _match(route.match)
    if match is None:
        return None
    if guard is not None:
        match["headers"] = [*match.get("headers", ()), guard]
    return {"name": str(route.origin), "match": match, **action(route.action, route.match.path)}


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
