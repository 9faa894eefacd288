"""An entrance as an Envoy listener: plain, or with a filter chain a certificate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kubelab.engine.ingress.compile.connections import connection_manager
from kubelab.routing.model import Certificate, Entrance, ObjectName, Table

Object = dict[str, Any]

BindPort = Callable[[Entrance], int]
"""The pod's port for an entrance: two entrances may have the same port at different addresses."""


class KeyPair(NamedTuple):
    """A certificate with its chain, and its key, both PEM."""

    certificate: str
    key: str


def listeners(
    table: Table,
    routes: Mapping[Entrance, tuple[str, str]],
    certificates: Mapping[ObjectName, KeyPair],
    default: KeyPair,
    port_of: BindPort,
) -> list[Object]:
    """Every entrance of the table. ``routes`` says for each the file with its route configuration, and that one's name.

    A name whose Secret has no usable certificate gets the default one, as does a client that sends no name.
    """
    found = []
    for entrance in table.entrances:
        manager = connection_manager(*routes[entrance])
        if entrance.tls:
            pairs = _by_names(entrance, certificates)
            found.append(tls_listener(_name(entrance), port_of(entrance), manager, pairs, default))
        else:
            found.append(_listener(_name(entrance), port_of(entrance), [{"filters": [manager]}]))
    return found


def tls_listener(
    name: str, port: int, manager: Object, pairs: Sequence[tuple[Sequence[str], KeyPair]], default: KeyPair
) -> Object:
    """A listener that picks the certificate by the name that the client asks for (SNI)."""
    chains = [
        {
            "name": names[0],
            "filter_chain_match": {"server_names": list(names)},
            "filters": [manager],
            "transport_socket": _tls(pair),
        }
        for names, pair in pairs
    ]
    last = {"name": "default", "filters": [manager], "transport_socket": _tls(default)}
    inspector = {
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
        },
    }
    return {**_listener(name, port, chains), "default_filter_chain": last, "listener_filters": [inspector]}


def _name(entrance: Entrance) -> str:
    return f"{entrance.owner or 'ingress'}:{entrance.port}"


def _listener(name: str, port: int, chains: list[Object]) -> Object:
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "enable_reuse_port": True,
        "filter_chains": chains,
    }


def _by_names(entrance: Entrance, known: Mapping[ObjectName, KeyPair]) -> list[tuple[list[str], KeyPair]]:
    """A chain a certificate, each with the names that no earlier certificate has; one without names is for all."""
    taken: set[str] = set()
    found = []
    for certificate in _certificates(entrance):
        names = [name for name in dict.fromkeys(map(str.lower, certificate.names)) if name not in taken]
        if certificate.secret in known and names:
            taken.update(names)
            found.append((names, known[certificate.secret]))
    return found


def _certificates(entrance: Entrance) -> list[Certificate]:
    return [each for listener in entrance.listeners for each in listener.certificates]


def _tls(pair: KeyPair) -> Object:
    certificate = {
        "certificate_chain": {"inline_string": pair.certificate},
        "private_key": {"inline_string": pair.key},
    }
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"},
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [certificate],
            },
        },
    }
