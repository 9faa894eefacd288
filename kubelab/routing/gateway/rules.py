"""An HTTPRoute's rules as routes, with the place of each in the order of precedence.

Of the routes of a host the first is (https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule): an Exact path, the
longest prefix, one with a method, the most headers, the most query parameters; then the oldest HTTPRoute, the first by
namespace and name, the first rule in it. Where regular expressions stand the API leaves open: here after Exact paths.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kubelab.routing import paths
from kubelab.routing.gateway.conditions import Fault
from kubelab.routing.gateway.durations import seconds
from kubelab.routing.gateway.filters import Filters, Unsupported, filters
from kubelab.routing.gateway.references import Grants
from kubelab.routing.model import (
    Action,
    Backend,
    Forward,
    Match,
    ObjectName,
    Origin,
    PathKind,
    PathMatch,
    Respond,
    Route,
    ServicePort,
    ValueMatch,
)  # fmt: skip
from kubelab.routing.objects import Object, age, name_of
from kubelab.routing.upstreams import Services, Unresolved

BAD_REFERENCE_STATUS = 500
_PATH_KINDS: dict[str, PathKind] = {
    "Exact": "Exact", "PathPrefix": "Prefix", "RegularExpression": "RegularExpression",
}  # fmt: skip
_NOT_RE2 = re.compile(r"\(\?(?!P<|:|[ims]+[:)])|\\[1-9Z]|[*+?}]\+|\{\d*,?\d{4,}|\{\d{4,}")
"""What Python's expressions have and RE2's do not: looking around, references back, possessive and huge repetition
(https://github.com/google/re2/wiki/Syntax)."""
_RANK = {"Exact": 0, "RegularExpression": 1, "Prefix": 2}


class RankedRoute(NamedTuple):
    """A route and its sort key among all routes of a host."""

    rank: tuple[Any, ...]
    route: Route


class Rules(NamedTuple):
    """What an HTTPRoute asks for."""

    routes: tuple[RankedRoute, ...]
    unresolved: tuple[Fault, ...]
    """References that lead nowhere; their share of the requests is answered with 500."""
    unsupported: tuple[Fault, ...]
    """Rules that ask for what is not served here; they are answered with 500, or left out for what they match."""
    number: int
    """How many rules there are."""


def rules(http_route: Object, services: Services, grants: Grants) -> Rules:
    """All rules of an HTTPRoute."""
    owner = name_of("HTTPRoute", http_route)
    routes: list[RankedRoute] = []
    unresolved: list[Fault] = []
    unsupported: list[Fault] = []
    listed = http_route["spec"].get("rules") or [{}]
    for number, rule in enumerate(listed):
        try:
            matches = [_match(each) for each in rule.get("matches") or [{}]]
        except Unsupported as error:  # nothing can be asked by such a rule, so it answers nothing
            unsupported.append(Fault("UnsupportedValue", f"spec.rules[{number}]: {error}"))
            continue
        try:
            action = _action(owner, rule, services, grants, unresolved)
        except Unsupported as error:
            unsupported.append(Fault("UnsupportedValue", f"spec.rules[{number}]: {error}"))
            action = Respond(BAD_REFERENCE_STATUS, str(error))
        for place, match in enumerate(matches):
            origin = Origin(owner, f"spec.rules[{number}].matches[{place}]")
            rank = (*precedence(match), *age(http_route), number, place)
            routes.append(RankedRoute(rank, Route(match, action, origin)))
    return Rules(tuple(routes), tuple(unresolved), tuple(unsupported), len(listed))


def precedence(match: Match) -> tuple[int, int, bool, int, int]:
    """A sort key of what a route matches; the most particular comes first."""
    path = match.path
    return (
        _RANK[path.kind], -len(paths.effective(path)), not match.method, -len(match.headers), -len(match.query),
    )  # fmt: skip


def _match(wanted: Object) -> Match:
    path = wanted.get("path") or {}
    if path.get("type") == "RegularExpression":
        _check_expression(path.get("value") or "/")
    return Match(
        path=PathMatch(_PATH_KINDS[path.get("type") or "PathPrefix"], path.get("value") or "/"),
        method=wanted.get("method") or "",
        headers=tuple(_value(each, lower=True) for each in wanted.get("headers") or ()),
        query=tuple(_value(each) for each in wanted.get("queryParams") or ()),
    )


def _value(wanted: Object, *, lower: bool = False) -> ValueMatch:
    name = wanted["name"].lower() if lower else wanted["name"]
    if wanted.get("type") == "RegularExpression":
        _check_expression(wanted["value"])
    return ValueMatch(name, wanted["value"], wanted.get("type") == "RegularExpression")


def _check_expression(text: str) -> None:
    """One that the proxy cannot read would cost every route of its port the next change."""
    try:
        re.compile(text)
    except (re.error, OverflowError) as error:
        raise Unsupported(f"{text!r} is no regular expression: {error}") from None
    if _NOT_RE2.search(text):
        raise Unsupported(f"{text!r} is beyond RE2's regular expressions, which are what is served here")


def _action(
    owner: ObjectName, rule: Object, services: Services, grants: Grants, unresolved: list[Fault]
) -> Action:  # fmt: skip
    wanted = filters(rule.get("filters") or ())
    if wanted.redirect:
        return wanted.redirect
    backends = []
    for ref in rule.get("backendRefs") or ():
        if ref.get("filters"):
            raise Unsupported("filters of a single backend are not served here; those of a rule are")
        backends.append(_backend(owner, ref, services, grants, unresolved))
    taking_part = tuple(each for each in backends if each.weight)
    if not taking_part:
        return Respond(BAD_REFERENCE_STATUS, "no backend has a share" if backends else "the rule has no backendRefs")
    return _forward(taking_part, wanted, rule.get("timeouts") or {})


def _forward(backends: tuple[Backend, ...], wanted: Filters, timeouts: Object) -> Forward:
    return Forward(
        backends,
        request_headers=wanted.request_headers,
        response_headers=wanted.response_headers,
        rewrite_host=wanted.rewrite_host,
        rewrite_path=wanted.rewrite_path,
        timeout_seconds=seconds(timeouts.get("request")),
        backend_timeout_seconds=seconds(timeouts.get("backendRequest")),
    )


def _backend(
    owner: ObjectName, ref: Object, services: Services, grants: Grants, unresolved: list[Fault]
) -> Backend:  # fmt: skip
    weight = 1 if ref.get("weight") is None else int(ref["weight"])
    found = _service(owner, ref, services, grants)
    if isinstance(found, ServicePort):
        return Backend(found, weight)
    unresolved.append(found)
    return Backend(None, weight, BAD_REFERENCE_STATUS, found.message)


def _service(owner: ObjectName, ref: Object, services: Services, grants: Grants) -> ServicePort | Fault:
    namespace, name = ref.get("namespace") or owner.namespace, ref["name"]
    kind = ref.get("kind") or "Service"
    if ref.get("group") or kind != "Service":
        return Fault("InvalidKind", f"{kind} {name} is no Service, and nothing else is served here")
    if not grants.permit(owner.kind, owner.namespace, "Service", namespace, name):
        message = f"no ReferenceGrant in namespace {namespace} lets HTTPRoutes of {owner.namespace} use Service {name}"
        return Fault("RefNotPermitted", message)
    if not ref.get("port"):
        return Fault("BackendNotFound", f"the reference to Service {name} names no port")
    try:
        return services.port(namespace, name, int(ref["port"]))
    except Unresolved as error:
        reason = "UnsupportedProtocol" if error.reason == "EncryptedBackend" else "BackendNotFound"
        return Fault(reason, str(error))
