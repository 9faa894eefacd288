"""How Envoy reads requests, what it adds to them, what it writes into its log, and what it answers by itself."""

from __future__ import annotations

from typing import Any

from kubelab.engine.ingress.compile.routes import NO_RULE

Object = dict[str, Any]

READY_PORT = 8081
"""Where the pod says that it is ready; the listener is there as soon as the controller's configuration is."""

HEADERS_SECONDS = 60
IDLE_CONNECTION_SECONDS = 600
SERVER = "kubelab-ingress"

_LOGGED = {
    "time": "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "scheme": "%REQ(X-FORWARDED-PROTO)%",
    "host": "%REQ(:AUTHORITY)%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "why": "%RESPONSE_FLAGS_LONG%",
    "rule": "%ROUTE_NAME%",
    "service": "%UPSTREAM_CLUSTER%",
    "pod": "%UPSTREAM_HOST_NAME%",
    "endpoint": "%UPSTREAM_HOST%",
    "ms": "%DURATION%",
    "sni": "%REQUESTED_SERVER_NAME%",
    "request": "%REQ(X-REQUEST-ID)%",
}
"""A line of the access log, in order."""

_REPLIES = (
    ("NR", NO_RULE),
    ("UH", "the Service has no ready endpoint"),
    ("NC", "the route's backend cannot be used"),
    ("UF", "the pod does not accept the connection"),
    ("UT", "the pod did not answer in time"),
    ("SI", "nothing was sent for too long"),
    ("UC", "the pod closed the connection before it answered"),
)
"""Envoy's response flags, and what they mean to the reader of an answer."""

_HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def connection_manager(file: str, name: str) -> Object:
    """The filter that reads requests and routes them as the route configuration of this name in this file says."""
    source = {"path_config_source": {"path": file}, "resource_api_version": "V3"}
    return _manager(
        {
            "stat_prefix": "ingress",
            "rds": {"route_config_name": name, "config_source": source},
            "access_log": [_access_log()],
            "strip_trailing_host_dot": True,
            "use_remote_address": True,
            "skip_xff_append": True,
            "preserve_external_request_id": True,
            "always_set_request_id_in_response": True,
            "request_headers_timeout": f"{HEADERS_SECONDS}s",
            "stream_idle_timeout": "0s",
            "common_http_protocol_options": {"idle_timeout": f"{IDLE_CONNECTION_SECONDS}s"},
            "http_protocol_options": {"accept_http_10": True},
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "server_name": SERVER,
            "server_header_transformation": "APPEND_IF_ABSENT",
            "local_reply_config": {"mappers": [_reply(flag, why) for flag, why in _REPLIES]},
        }
    )


def ready_listener() -> Object:
    """Answers 200 to ``/ready``: kubelet's readiness probe asks here."""
    answer = {"match": {"path": "/ready"}, "direct_response": {"status": 200, "body": {"inline_string": "ready\n"}}}
    hosts = [{"name": "ready", "domains": ["*"], "routes": [answer]}]
    manager = _manager({"stat_prefix": "ready", "route_config": {"name": "ready", "virtual_hosts": hosts}})
    return {
        "name": "ready",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": READY_PORT}},
        "enable_reuse_port": True,
        "filter_chains": [{"filters": [manager]}],
    }


def _manager(fields: Object) -> Object:
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    filters = [{"name": "envoy.filters.http.router", "typed_config": {**router, "suppress_envoy_headers": True}}]
    config = {"@type": _HTTP, "codec_type": "AUTO", **fields, "http_filters": filters}
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _access_log() -> Object:
    kind = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog"
    form = {"json_format": _LOGGED, "json_format_options": {"sort_properties": False}, "omit_empty_values": True}
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {"@type": kind, "log_format": form},
    }


def _reply(flag: str, why: str) -> Object:
    text = f"%RESPONSE_CODE% kubelab ingress: {why}\n"
    return {
        "filter": {"response_flag_filter": {"flags": [flag]}},
        "body_format_override": {"text_format_source": {"inline_string": text}},
    }
