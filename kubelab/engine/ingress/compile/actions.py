"""What is done with a request that matches: an Envoy route's action."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kubelab.routing.model import Backend, Forward, HeaderChange, PathMatch, Redirect, Respond
from kubelab.routing.request import DEFAULT_PORTS

Object = dict[str, Any]

IDLE_SECONDS = 60
"""A request without a byte in either direction for so long ends (504, or the end of a WebSocket)."""

NOBODY = "nobody"
"""A cluster that does not exist: its share of a route's requests is answered with ``status`` (see `_not_found`)."""

_REDIRECTS = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT",
              308: "PERMANENT_REDIRECT"}  # fmt: skip
_NOT_FOUND = {404: "NOT_FOUND", 500: "INTERNAL_SERVER_ERROR", 503: "SERVICE_UNAVAILABLE"}

_RETRY = {"retry_on": "connect-failure,refused-stream", "num_retries": 2,
          "retry_host_predicate": [{"name": "envoy.retry_host_predicates.previous_hosts", "typed_config": {
              "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"}}],
          "host_selection_retry_max_attempts": 3}  # fmt: skip
"""Only where the backend cannot have seen the request: the pod that was picked is not there any more."""


class Asked(NamedTuple):
    """What is known beforehand of the Host headers of a virtual host."""

    host: str = ""
    """Without port; empty: it may be one of several."""
    port: int = 0
    """0: the usual one, which they leave out."""


def action(wanted: Forward | Redirect | Respond, matched: PathMatch, asked: Asked = Asked()) -> Object:  # noqa: B008
    """The fields of a route that say what to do; ``matched`` is the path that the route itself matches."""
    if isinstance(wanted, Redirect):
        return {"redirect": _redirect(wanted, matched, asked)}
    if isinstance(wanted, Respond):
        return respond(wanted.status, wanted.why)
    return _forward(wanted, matched)


def respond(status: int, why: str) -> Object:
    """Answer at once, with one line of text."""
    return {"direct_response": {"status": status, "body": {"inline_string": f"{status} kubelab ingress: {why}\n"}}}


def _forward(wanted: Forward, matched: PathMatch) -> Object:
    shares = [each for each in wanted.backends if each.weight > 0]
    if not any(each.service for each in shares):
        first = (shares or wanted.backends or (Backend(None, why="the route has no backend"),))[0]
        return respond(first.status, first.why or "no backend of this route has any weight")
    route: Object = {
        **_targets(shares),
        "timeout": _seconds(wanted.timeout_seconds or 0),
        "idle_timeout": f"{IDLE_SECONDS}s",
        "retry_policy": _retry(wanted.backend_timeout_seconds),
        **_rewrite(wanted, matched),
    }
    changes = {**_headers("request", wanted.request_headers), **_headers("response", wanted.response_headers)}
    return {"route": route, **changes}


def _targets(shares: list[Backend]) -> Object:
    if len(shares) == 1:
        return {"cluster": str(shares[0].service)}
    clusters = [{"name": str(each.service) if each.service else NOBODY, "weight": each.weight} for each in shares]
    # Envoy adds up what goes to one name; two shares of one Service are one.
    status = next((each.status for each in shares if each.service is None), 500)
    return {
        "weighted_clusters": {"clusters": clusters},
        "cluster_not_found_response_code": _NOT_FOUND.get(status, "INTERNAL_SERVER_ERROR"),
    }


def _retry(backend_timeout: float | None) -> Object:
    return {**_RETRY, **({"per_try_timeout": _seconds(backend_timeout)} if backend_timeout else {})}


def _rewrite(wanted: Forward, matched: PathMatch) -> Object:
    host = {"host_rewrite_literal": wanted.rewrite_host} if wanted.rewrite_host else {}
    return {**host, **_new_path(wanted.rewrite_path, matched)}


def _new_path(new: PathMatch | None, matched: PathMatch) -> Object:
    """The whole path anew, or the prefix that matched: ``/foo`` of ``/foo/bar``, with one slash after it."""
    if new is None:
        return {}
    if new.kind == "Exact" or matched.kind != "Prefix":
        return {"regex_rewrite": _regex("^.*$", new.value)}
    old, prefix = matched.value.rstrip("/"), new.value.rstrip("/")
    if not prefix:
        return {"regex_rewrite": _regex(f"^{re.escape(old)}/*", "/")}
    return {"prefix_rewrite": prefix} if old else {"regex_rewrite": _regex("^/", f"{prefix}/")}


def _regex(pattern: str, substitution: str) -> Object:
    return {"pattern": {"regex": pattern}, "substitution": substitution.replace("\\", r"\\")}


def _redirect(wanted: Redirect, matched: PathMatch, asked: Asked) -> Object:
    # Envoy keeps the port that a Host header brings along, unless it is told another host or port.
    usual = DEFAULT_PORTS.get(wanted.scheme, 0)
    host = wanted.host or (asked.host if asked.port and usual else "")
    port = wanted.port or (asked.port and (usual or asked.port))
    fields: Object = {
        "response_code": _REDIRECTS[wanted.status],
        "scheme_redirect": wanted.scheme,
        "host_redirect": host,
        "port_redirect": 0 if port == usual and (host or not asked.port) else port,
    }
    path = _new_path(wanted.path, matched)
    if wanted.path is not None and wanted.path.kind == "Exact":
        path = {"path_redirect": wanted.path.value}
    return {**{name: value for name, value in fields.items() if value}, **path}


def _headers(which: str, change: HeaderChange) -> Object:
    added = [_header(name, value, "OVERWRITE_IF_EXISTS_OR_ADD") for name, value in change.set]
    added += [_header(name, value, "APPEND_IF_EXISTS_OR_ADD") for name, value in change.add]
    fields = {f"{which}_headers_to_add": added, f"{which}_headers_to_remove": list(change.remove)}
    return {name: value for name, value in fields.items() if value}


def _header(name: str, value: str, how: str) -> Object:
    return {"header": {"key": name, "value": value.replace("%", "%%")}, "append_action": how}


def _seconds(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"
