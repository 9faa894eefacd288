"""Which rule a request belongs to, and why not to another: the same table that the proxy is configured from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from kubelab.routing import hosts, paths, reasons
from kubelab.routing.model import (
    Backend,
    Certificate,
    Entrance,
    Forward,
    Listener,
    Redirect,
    Respond,
    Route,
    ServicePort,
    Table,
    VirtualHost,
)
from kubelab.routing.request import Request, matches, unmet
from kubelab.routing.rewriting import location

NOT_FOUND = 404
MISDIRECTED = 421
"""A connection for one listener's name is used for a host of another listener (RFC 9110, 15.5.20)."""
NO_ENDPOINTS = 503
MOST_SHOWN = 20
"""How many of the rules that were not chosen a notebook shows."""


class Candidate(NamedTuple):
    """A rule that was not chosen."""

    host: str
    """The rule's own host; empty: none."""
    route: Route
    why: str
    matches: bool = False
    """Whether it would have been chosen if nothing had come before it."""

    @property
    def words(self) -> str:
        """``Prefix /aaa for shop.example.test: matches too, but Prefix /aaa/bbb is longer``, ``Exact /a is not /b``."""
        rule = reasons.rule(self.route)
        return self.why if self.why.startswith(rule) else f"{rule} for {reasons.host_words(self.host)}: {self.why}"


class Share(NamedTuple):
    """What part of the requests goes where."""

    service: ServicePort | None
    share: float
    """From 0 to 1; those of a decision add up to 1."""
    status: int | None = None
    """What is answered without asking a pod; None: a pod answers."""
    why: str = ""

    def words(self, namespace: str = "") -> str:
        """``web``, ``other/web`` for a Service of another namespace, ``503``."""
        if self.status is not None or self.service is None:
            return str(self.status)
        near = self.service.namespace == namespace or not namespace
        return self.service.service if near else f"{self.service.namespace}/{self.service.service}"


@dataclass(frozen=True)
class Decision:
    """What becomes of a request."""

    request: Request
    shares: tuple[Share, ...]
    because: str
    """Why the rule was chosen, or why there is none."""
    route: Route | None = None
    host: str | None = None
    """The host of the chosen rules; None: no rules are for this host."""
    others: tuple[Candidate, ...] = ()
    """The rules that were not chosen: those of the same host first."""
    certificate: Certificate | None = None
    """What is served for the name that a TLS client asks for; None: the controller's default certificate, or no TLS."""
    location: str = ""
    """Where a redirect leads."""

    @property
    def status(self) -> int | None:
        """The answer's status when no pod is asked, whichever backend is drawn; None otherwise."""
        statuses = {share.status for share in self.shares}
        return statuses.pop() if len(statuses) == 1 else None

    @property
    def services(self) -> tuple[ServicePort, ...]:
        """Whose pods may answer."""
        return tuple(share.service for share in self.shares if share.service and share.status is None)

    @property
    def rule(self) -> str:
        """``Prefix /aaa for shop.example.test``; empty when no rule was chosen."""
        if self.route is None:
            return ""
        host = self.host if self.host is not None else ""
        return f"{reasons.rule(self.route)} for {reasons.host_words(host)}"

    def words(self, namespace: str = "") -> str:
        """What the answer will be: ``web``, ``404``, ``web 90%, canary 10%``, ``301 https://shop.example.test/``."""
        if self.location:
            return f"{self.status} {self.location}"
        if len(self.shares) == 1:
            return self.shares[0].words(namespace)
        return ", ".join(f"{share.words(namespace)} {_percent(share.share)}" for share in self.shares)

    @property
    def sentence(self) -> str:
        """``web: Prefix /aaa for shop.example.test, longer than Prefix /``."""
        return f"{self.words()}: {f'{self.rule}, ' if self.route else ''}{self.because}"

    def __repr__(self) -> str:
        return f"Decision({self.sentence})"

    def _repr_html_(self) -> str:
        """The sentence, and why no other rule was taken."""
        listed = "".join(f"<li>{escape(other.words)}</li>" for other in self.others[:MOST_SHOWN])
        more = len(self.others) - MOST_SHOWN
        listed += f"<li>{more} more rules</li>" if more > 0 else ""
        return f"<div><b>{escape(self.sentence)}</b><ul style='margin: 0'>{listed}</ul></div>"


def decide(table: Table, request: Request) -> Decision:
    """Which rule a request belongs to. Raises `LookupError` when the table has no entrance at its port that speaks TLS
    as the client does."""
    entrance = _entrance(table, request)
    name = request.name if request.sni is None or not entrance.tls else hosts.host_name(request.sni)
    certificate = _certificate(entrance, name)
    listener, meant = _best_listener(entrance, name), _best_listener(entrance, request.name)
    if meant is not None and meant is not listener:
        because = f"the handshake asked for {name or 'no name'}, and {request.name} is another listener's"
        return Decision(request, (Share(None, 1.0, MISDIRECTED, because),), because, certificate=certificate)
    virtual_host = _best_host(listener, request.name) if listener else None
    route = next((each for each in virtual_host.routes if matches(each.match, request)), None) if virtual_host else None
    others = tuple(_others(entrance, listener, virtual_host, route, request))
    host = virtual_host.host if virtual_host else None
    if route is None:
        because = _nothing(virtual_host, request)
        return Decision(request, (Share(None, 1.0, NOT_FOUND, because),), because, None, host, others, certificate)
    shares = tuple(_shares(table, route))
    leads = location(route.action, route.match.path, entrance, request) if isinstance(route.action, Redirect) else ""
    because = _because(route, shares, others)
    return Decision(request, shares, because, route, host, others, certificate, leads)


def _entrance(table: Table, request: Request) -> Entrance:
    where = f"{request.owner}" if request.owner else "the ingress controller"
    for entrance in table.entrances:
        if entrance.port == request.port and entrance.owner == request.owner:
            if request.tls not in (None, entrance.tls):
                right = "https" if entrance.tls else "http"
                raise LookupError(f"{where} speaks {right.upper()} at port {request.port}; write {right}://")
            return entrance
    raise LookupError(f"{where} has no entrance at port {request.port}")


def _certificate(entrance: Entrance, name: str) -> Certificate | None:
    served = [
        (hosts.precedence(each), certificate)
        for listener in entrance.listeners
        for certificate in listener.certificates
        for each in certificate.names
        if hosts.fits(each, name, "any labels")  # a handshake is told apart by the end of its name, before any rule
    ]
    return min(served, key=lambda pair: pair[0])[1] if served else None


def _best_listener(entrance: Entrance, name: str) -> Listener | None:
    fitting = [each for each in entrance.listeners if hosts.fits(each.hostname, name, each.wildcard)]
    return min(fitting, key=lambda each: hosts.precedence(each.hostname)) if fitting else None


def _best_host(listener: Listener, name: str) -> VirtualHost | None:
    fitting = [each for each in listener.hosts if hosts.fits(each.host, name, each.wildcard)]
    return min(fitting, key=lambda each: hosts.precedence(each.host)) if fitting else None


def _shares(table: Table, route: Route) -> Iterator[Share]:
    action = route.action
    if isinstance(action, Respond):
        yield Share(None, 1.0, action.status, action.why)
    elif isinstance(action, Redirect):
        yield Share(None, 1.0, action.status)
    else:
        yield from _forwarded(table, action)


def _forwarded(table: Table, action: Forward) -> Iterator[Share]:
    """A route whose weights add up to nothing is answered as one whose backends are not there (Gateway API)."""
    total = sum(backend.weight for backend in action.backends)
    if not total:
        yield Share(None, 1.0, 500, "no backend has any weight")
    for backend in action.backends:
        if backend.weight:
            status, why = _readiness(table, backend)
            yield Share(backend.service, backend.weight / total, status, why)


def _readiness(table: Table, backend: Backend) -> tuple[int | None, str]:
    if backend.service is None:
        return backend.status, backend.why
    upstream = table.upstreams.get(backend.service)
    if upstream is None or not upstream.endpoints:
        return NO_ENDPOINTS, f"Service {backend.service.service} has no ready endpoint"
    return None, ""


def _others(
    entrance: Entrance, listener: Listener | None, chosen: VirtualHost | None, winner: Route | None, request: Request
) -> Iterator[Candidate]:
    for route in chosen.routes if chosen else ():
        if route is not winner:
            fits = winner is not None and matches(route.match, request)
            yield Candidate(chosen.host if chosen else "", route, _why_not(route, winner, request), fits)
    for each in entrance.listeners:
        for host in each.hosts:
            if host is chosen:
                continue
            why = _why_not_host(host, each, listener, chosen, request.name)
            for route in host.routes:
                if chosen is None or not any(route is known for known in chosen.routes):
                    yield Candidate(host.host, route, why)


def _why_not(route: Route, winner: Route | None, request: Request) -> str:
    if not paths.fits(route.match.path, request.path):
        return reasons.other_path(route.match.path, request.path)
    return unmet(route.match, request) or (reasons.passed_over(route, winner) if winner else "")


def _why_not_host(
    host: VirtualHost, its: Listener, listener: Listener | None, chosen: VirtualHost | None, name: str
) -> str:
    if not hosts.fits(host.host, name, host.wildcard):
        return reasons.other_host(host.host, host.wildcard, name)
    if its is not listener or chosen is None:
        return f"belongs to the listener for {its.hostname or 'all hosts'}"
    return reasons.better_host(host.host, chosen.host)


def _nothing(virtual_host: VirtualHost | None, request: Request) -> str:
    if virtual_host is None:
        return f"no rule is for host {request.name or '(none)'}, and there is no default backend"
    where = f"for {virtual_host.host}" if virtual_host.host else "without host"
    return f"no path {where} matches {request.path}, and there is no default backend"


def _because(route: Route, shares: tuple[Share, ...], others: tuple[Candidate, ...]) -> str:
    missing = next((share.why for share in shares if share.why), "")
    if missing and len(shares) == 1:
        return missing
    if reasons.is_default(route):
        return "because no path matches"
    beaten = next((each.route for each in others if each.matches and not reasons.is_default(each.route)), None)
    return reasons.comes_first(route, beaten) if beaten else "the only rule that matches"


def _percent(share: float) -> str:
    return f"{share * 100:.3g}%"
