"""An entrance as an Envoy listener: plain, or with a filter chain a certificate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kubelab.engine.ingress.compile.connections import connection_manager
from kubelab.engine.ingress.compile.routes import Scope, scopes
from kubelab.routing.model import Entrance, ObjectName, Table

Object = dict[str, Any]

BindPort = Callable[[Entrance], int]
"""The pod's port for an entrance: two entrances may have the same port at different addresses."""


class KeyPair(NamedTuple):
    """A certificate with its chain, and its key, both PEM."""

    certificate: str
    key: str


def listeners(
    table: Table,
    routes: Mapping[str, tuple[str, str]],
    certificates: Mapping[ObjectName, KeyPair],
    default: KeyPair,
    port_of: BindPort,
) -> list[Object]:
    """Every entrance of the table. ``routes`` says for each `Scope` the file with its route configuration, and that
    one's name.

    A name whose Secret has no usable certificate gets the default one, as does a client that sends no name.
    """
    found = []
    for entrance in table.entrances:
        managers = [(scope, connection_manager(*routes[scope.name])) for scope in scopes(entrance)]
        if entrance.tls:
            chains = [each for scope, manager in managers for each in _chains(scope, manager, certificates)]
            rest = next(manager for scope, manager in managers if not scope.hostname)
            found.append(_tls_listener(_name(entrance), port_of(entrance), chains, Chain((), rest, (default,))))
        else:
            found.append(
                _listener(_name(entrance), port_of(entrance), [{"filters": [manager for _, manager in managers]}])
            )
    return found


class Chain(NamedTuple):
    """How connections are served whose clients ask for one of these names; without names: for any other."""

    names: tuple[str, ...]
    manager: Object
    pairs: tuple[KeyPair, ...]
    """Of several Envoy takes the one that is for the name, else the first."""


def _tls_listener(name: str, port: int, chains: Sequence[Chain], default: Chain) -> Object:
    """A listener that picks the certificate by the name that the client asks for (SNI)."""
    named = [
        {"name": each.names[0], "filter_chain_match": {"server_names": list(each.names)}, **_served(each)}
        for each in chains
        if each.names
    ]
    last = next((each for each in chains if not each.names), default)
    inspector = {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
        },
    }
    return {
        **_listener(name, port, named),
        "default_filter_chain": {"name": "default", **_served(last)},
        "listener_filters": [inspector],
    }


def _served(chain: Chain) -> Object:
    return {"filters": [chain.manager], "transport_socket": _tls(chain.pairs)}


def _name(entrance: Entrance) -> str:
    return f"{entrance.owner or 'ingress'}:{entrance.port}"


def _listener(name: str, port: int, chains: list[Object]) -> Object:
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "enable_reuse_port": True,
        "filter_chains": chains,
    }


def _chains(scope: Scope, manager: Object, known: Mapping[ObjectName, KeyPair]) -> Iterable[Chain]:
    """A chain for each set of names that no earlier one has."""
    pairs: dict[tuple[str, ...], list[KeyPair]] = {}
    for listener in scope.listeners:
        for certificate in listener.certificates:
            if certificate.secret in known:
                names = tuple(dict.fromkeys(map(str.lower, certificate.names)))
                pairs.setdefault(names, []).append(known[certificate.secret])
    taken: set[str] = set()
    for names, its in pairs.items():
        fresh = tuple(name for name in names if name not in taken)
        taken.update(fresh)
        if fresh:
            yield Chain(tuple(filter(None, fresh)), manager, tuple(its))


def _tls(pairs: Sequence[KeyPair]) -> Object:
    certificates = [
        {"certificate_chain": {"inline_string": each.certificate}, "private_key": {"inline_string": each.key}}
        for each in pairs
    ]
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": certificates,
            },
        },
    }
