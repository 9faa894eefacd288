"""What a redirect or a rewrite makes of a request's address (Gateway API v1, HTTPPathModifier)."""

from __future__ import annotations

from kubelab.routing import paths
from kubelab.routing.model import Entrance, PathMatch, Redirect
from kubelab.routing.request import DEFAULT_PORTS, Request


def rewritten(change: PathMatch | None, matched: PathMatch, target: str) -> str:
    """A path and query after a change: the whole path is replaced, or what the route's Prefix matched of it."""
    path, mark, query = target.partition("?")
    if change is None:
        return target
    if change.kind == "Exact":
        return change.value + mark + query
    rest, new = path[len(paths.effective(matched)) :], change.value.removesuffix("/")
    return (new + rest if new else "/" + rest.lstrip("/")) + mark + query


def location(action: Redirect, matched: PathMatch, entrance: Entrance, request: Request) -> str:
    """Where a redirect leads. A port that goes without saying is left out."""
    scheme = action.scheme or ("https" if entrance.tls else "http")
    port = action.port or (DEFAULT_PORTS.get(action.scheme, 0) if action.scheme else entrance.port)
    shown = "" if port in (0, DEFAULT_PORTS.get(scheme)) else f":{port}"
    return f"{scheme}://{action.host or request.name}{shown}{rewritten(action.path, matched, request.target)}"
