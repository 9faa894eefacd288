"""Plain Envoys with configurations that never change, and a backend that costs little: pods to compare with."""

from __future__ import annotations

import json
from typing import Any

from kubelab.engine.ingress import envoy

Object = dict[str, Any]

PROCESSES = len(envoy.ADMIN_PORTS)
"""As many as the ingress has, with as many workers each."""
PORT = 8080
ANSWER = "salt\n"

_TOGETHER = '"$@" & '
"""All in one container, as the ingress is: Linux shares a busy machine out among sessions (autogroups)."""
_TYPES = "type.googleapis.com/envoy.extensions.filters"
_LOG = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"


def backend(node: str) -> list[Object]:
    """Deployment and Service ``salt``: an Envoy that answers by itself."""
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": ANSWER}}}
    return _served("salt", node, _static(route, [], []), 1, 1, {})


def plain(node: str, target: str) -> list[Object]:
    """Deployment and LoadBalancer ``plain``: as in Envoy's own first example, which writes a line a request."""
    log = {"name": "envoy.access_loggers.stdout", "typed_config": {"@type": _LOG}}
    return _proxy("plain", node, target, [log], PROCESSES, envoy.WORKERS)


def silent(node: str, target: str) -> list[Object]:
    """Deployment and LoadBalancer ``silent``: a single process with all the workers, which writes no log."""
    return _proxy("silent", node, target, [], 1, PROCESSES * envoy.WORKERS)


def _proxy(name: str, node: str, target: str, log: list[Object], processes: int, workers: int) -> list[Object]:
    """Everything goes to this address."""
    address = {"socket_address": {"address": target, "port_value": PORT}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    cluster = {
        "name": "salt",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "salt", "endpoints": endpoints},
    }
    config = _static({"match": {"prefix": "/"}, "route": {"cluster": "salt"}}, [cluster], log)
    return _served(name, node, config, processes, workers, {"type": "LoadBalancer", "externalTrafficPolicy": "Local"})


def _static(route: Object, clusters: list[Object], log: list[Object]) -> Object:
    hosts = [{"name": "all", "domains": ["*"], "routes": [route]}]
    router = {"@type": f"{_TYPES}.http.router.v3.Router"}
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bare",
        "access_log": log,
        "route_config": {"virtual_hosts": hosts},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    listener = {
        "name": "bare",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": PORT}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _served(name: str, node: str, config: Object, processes: int, workers: int, service: Object) -> list[Object]:
    program = envoy.binary()
    assert program is not None
    options = ["--concurrency", str(workers), "--disable-hot-restart", "-l", "warning"]
    argv = [program, "--config-yaml", json.dumps(config), *options]
    container = {
        "name": "envoy",
        "image": "python:3.12",
        "command": ["sh", "-c", _TOGETHER * processes + "wait", "sh", *argv],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    labels = {"app": name}
    pod = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    ports = [{"port": 80, "targetPort": PORT}]
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
         "spec": {"selector": {"matchLabels": labels}, "template": template}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
         "spec": {"selector": labels, "ports": ports, **service}},
    ]  # fmt: skip
