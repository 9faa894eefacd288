"""A Service's port as an Envoy cluster: its ready endpoints, one after the other.

Endpoints stand in the cluster itself and not in files of their own (EDS): each such file costs Envoy an inotify
instance, of which a user has 128. A changed cluster takes the place of the old one between two requests, and requests
under way end on the old one's connections.
"""

from __future__ import annotations

from typing import Any

from kubelab.routing.model import Endpoint, ServicePort, Table, Upstream

Object = dict[str, Any]

CONNECT_SECONDS = 1
_NO_LIMIT = 1_000_000
"""Envoy's own is 1024 connections and requests a cluster, above which it answers 503: no Ingress says that."""


def clusters(table: Table) -> list[Object]:
    """Every upstream of the table, sorted by name."""
    return [_cluster(port, table.upstreams[port]) for port in sorted(table.upstreams)]


def _cluster(port: ServicePort, upstream: Upstream) -> Object:
    name = str(port)
    cluster = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": f"{CONNECT_SECONDS}s",
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {"thresholds": [_thresholds()]},
        "load_assignment": {"cluster_name": name, "endpoints": _localities(upstream.endpoints)},
    }
    if upstream.protocol == "h2c":
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return cluster


def _thresholds() -> Object:
    names = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return dict.fromkeys(names, _NO_LIMIT)


def _localities(endpoints: tuple[Endpoint, ...]) -> list[Object]:
    return [{"lb_endpoints": [_endpoint(each) for each in endpoints]}] if endpoints else []


def _endpoint(endpoint: Endpoint) -> Object:
    address = {"socket_address": {"address": endpoint.ip, "port_value": endpoint.port}}
    # The host name is for the access log only.
    return {"endpoint": {"address": address, **({"hostname": endpoint.pod} if endpoint.pod else {})}}
