"""A request, as far as routing looks at it, and what it is asked for by a route."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from kubelab.routing import hosts, paths
from kubelab.routing.model import Match, ObjectName, ValueMatch

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Request:
    """What a client sends."""

    host: str
    """The Host header."""
    target: str = "/"
    """Path and query, as they stand in the request's first line."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    port: int = 80
    """The port of the entrance, as the outside sees it."""
    sni: str | None = None
    """The name that a TLS client asks for; None: that of the Host header."""
    owner: ObjectName | None = None
    """The Gateway that the request is sent to; None: the ingress controller's own address."""
    tls: bool | None = None
    """Whether the client speaks TLS; None: as the entrance does."""

    @classmethod
    def of(
        cls,
        url: str,
        method: str = "GET",
        headers: tuple[tuple[str, str], ...] = (),
        sni: str | None = None,
        owner: ObjectName | None = None,
    ) -> Request:
        """The request for a URL; its path is taken as it is written, and a Host header is believed.

        Raises ValueError for what is no such URL.
        """
        scheme, _, rest = url.partition("://")
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        target = rest[len(authority) :].partition("#")[0]
        port = _port(authority) or DEFAULT_PORTS.get(scheme)
        if scheme not in DEFAULT_PORTS or not authority or "@" in authority or port is None:
            raise ValueError(f"{url!r} is no URL to send a request to; write http://HOST/PATH or https://HOST/PATH.")
        host = next((value for name, value in headers if name.lower() == "host"), authority)
        if host != authority and sni is None:
            sni = hosts.host_name(authority)
        path = target if target.startswith("/") else f"/{target}"
        return cls(host, path, method, headers, port, sni, owner, scheme == "https")

    @property
    def name(self) -> str:
        """The host's name alone, in lower case."""
        return hosts.host_name(self.host)

    @property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    def values(self, name: str) -> list[str]:
        """Those of a header, by its name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def query(self, name: str) -> str | None:
        """The first value of a query parameter."""
        pairs = parse_qsl(self.target.partition("?")[2], keep_blank_values=True)
        return next((value for key, value in pairs if key == name), None)


def _port(authority: str) -> int | None:
    try:
        return urlsplit(f"//{authority}").port
    except ValueError:
        raise ValueError(f"{authority!r} has no port from 1 to 65535; write HOST:PORT.") from None


def matches(match: Match, request: Request) -> bool:
    """Whether all that a match asks for is there."""
    return paths.fits(match.path, request.path) and not unmet(match, request)


def unmet(match: Match, request: Request) -> str:
    """What of a match, its path aside, the request does not have, in words; empty when it has all."""
    if match.method and match.method != request.method:
        return f"the method is {request.method}, not {match.method}"
    for header in match.headers:
        if not any(_equal(header, value) for value in request.values(header.name)):
            return f"the header {header.name} is not {header.value}"
    for parameter in match.query:
        value = request.query(parameter.name)
        if value is None or not _equal(parameter, value):
            return f"the query parameter {parameter.name} is not {parameter.value}"
    return ""


def _equal(match: ValueMatch, value: str) -> bool:
    return bool(re.fullmatch(match.value, value)) if match.regular_expression else match.value == value
