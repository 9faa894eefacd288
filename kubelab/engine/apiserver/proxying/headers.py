"""What a proxied request and its answer carry on, and what not."""

from __future__ import annotations

from collections.abc import Callable, Collection

from multidict import CIMultiDict, CIMultiDictProxy

from kubelab.engine.apiserver.access.impersonation import PREFIX

Headers = CIMultiDict[str] | CIMultiDictProxy[str]

TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."
"""Browsers cannot set headers on a websocket: they send the token as the name of a protocol."""
_OF_ONE_CONNECTION = frozenset(
    {"connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
     "transfer-encoding", "upgrade", "expect"}
)  # fmt: skip
_CROSS_ORIGIN = frozenset(f"access-control-allow-{what}" for what in ("credentials", "headers", "methods", "origin"))
_PROTOCOLS, _FORWARDED_FOR = "Sec-WebSocket-Protocol", "X-Forwarded-For"


def is_upgrade(headers: Headers) -> bool:
    """Whether the client wants to speak another protocol from here on."""
    return any("upgrade" in value.lower() for value in headers.getall("Connection", ()))


def to_server(headers: Headers, client: str, *, upgrade: bool = False) -> CIMultiDict[str]:
    """A request's headers, without what told the API server who asks: no pod ever sees a token."""
    dropped = {"authorization", *(() if upgrade else _of_one_connection(headers))}
    kept = _without(headers, dropped, lambda name: name.startswith(PREFIX))
    if protocols := kept.popall(_PROTOCOLS, []):
        words = [word.strip() for value in protocols for word in value.split(",")]
        kept[_PROTOCOLS] = ", ".join(word for word in words if not word.startswith(TOKEN_PROTOCOL))
    kept[_FORWARDED_FOR] = ", ".join([*headers.getall(_FORWARDED_FOR, ()), client])
    return kept


def to_client(headers: Headers) -> CIMultiDict[str]:
    """An answer's headers: a pod has no say in which pages may read the API."""
    kept = _without(headers, {*_of_one_connection(headers), *_CROSS_ORIGIN})
    return CIMultiDict([("Cache-Control", "no-cache, private"), *kept.items()])


def _of_one_connection(headers: Headers) -> set[str]:
    named = (word.strip().lower() for value in headers.getall("Connection", ()) for word in value.split(","))
    return {*_OF_ONE_CONNECTION, *named}


def _without(
    headers: Headers, names: Collection[str], too: Callable[[str], bool] = lambda name: False
) -> CIMultiDict[str]:
    return CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in names and not too(name.lower())
    )
