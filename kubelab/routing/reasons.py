"""Why a rule was passed over, in words for a learner."""

from __future__ import annotations

from kubelab.routing import paths
from kubelab.routing.model import Match, PathMatch, Route, Wildcard

DEFAULT_BACKEND = "spec.defaultBackend"
_COUNTS = {0: "none", 1: "one", 2: "two", 3: "three"}


def is_default(route: Route) -> bool:
    """Whether it is an Ingress's default backend."""
    return route.origin.field == DEFAULT_BACKEND


def rule(route: Route) -> str:
    """``Prefix /aaa``, ``default backend``, ``Prefix / GET x-canary: yes``."""
    if is_default(route):
        return "default backend"
    match = route.match
    more = [f"{each.name}: {each.value}" for each in match.headers] + [f"?{q.name}={q.value}" for q in match.query]
    return " ".join([path_words(match.path), *filter(None, [match.method]), *more])


def path_words(match: PathMatch) -> str:
    """``Prefix /aaa``."""
    return f"{match.kind} {match.value}"


def host_words(pattern: str) -> str:
    """``shop.example.test``, ``no host``."""
    return pattern or "no host"


def other_host(pattern: str, wildcard: Wildcard, host: str) -> str:
    """Why a host is not one that the pattern is for."""
    if not pattern.startswith("*."):
        return f"{host or 'no host'} is not {pattern}"
    suffix, stands = pattern[1:], f"* stands for {'exactly' if wildcard == 'one label' else 'at least'} one label"
    if host == suffix[1:]:
        return f"{stands}, and {host} has none in front"
    if not host.endswith(suffix):
        return f"{host or 'no host'} does not end in {suffix}"
    front = host.removesuffix(suffix)
    labels = front.count(".") + 1
    return f"{stands}, and {front} is {_COUNTS.get(labels, labels)}"


def better_host(pattern: str, chosen: str) -> str:
    """Why a host's rules are not asked though they are for this host, too."""
    if not pattern:
        return f"there are rules for {chosen}: those without host are not asked"
    return f"there are rules for {chosen}: those for {pattern} are not asked"


def other_path(match: PathMatch, path: str) -> str:
    """Why a path does not match."""
    said = path_words(match)
    if match.kind == "RegularExpression":
        return f"{said} does not match {path}"
    if path.lower() == match.value.lower():
        return f"{said} is not {path}: case counts"
    if match.kind == "Exact":
        slash = ": the last slash counts" if path.rstrip("/") == match.value.rstrip("/") else ""
        return f"{said} is not {path}{slash}"
    return f"{said}: {_element(_elements(paths.effective(match)), _elements(path.rstrip('/')))}"


def _element(wanted: list[str], there: list[str]) -> str:
    for one, other in zip(wanted, there, strict=False):
        if one.lower() == other.lower() and one != other:
            return f"the element {other} is not {one}, case counts"
        if one != other:
            return f"the element {other or 'between two slashes'} is not {one}"
    return f"{'/' + '/'.join(there)} ends before the element {wanted[len(there)]}"


def _elements(path: str) -> list[str]:
    return path.split("/")[1:]


def passed_over(route: Route, winner: Route) -> str:
    """Why a route that matches is not the one."""
    if is_default(route):
        return "only when no path matches"
    return f"matches too, but {_before(winner.match, route.match) or f'{winner.origin} came first'}"


def comes_first(winner: Route, other: Route) -> str:
    """Why the winner comes before another that matches, too."""
    one, two = winner.match.path, other.match.path
    if len(paths.effective(one)) > len(paths.effective(two)):
        return f"longer than {path_words(two)}"
    return _before(winner.match, other.match) or f"came before {other.origin}"


def _before(first: Match, second: Match) -> str:
    """What puts the first of two matching matches before the second; empty: nothing that they say."""
    one, other = paths.effective(first.path), paths.effective(second.path)
    if len(one) > len(other) and "RegularExpression" not in (first.path.kind, second.path.kind):
        return f"{path_words(first.path)} is longer"
    if first.path.kind != second.path.kind:
        return f"{first.path.kind} comes before {second.path.kind}"
    if first.method and not second.method:
        return "a rule with a method comes before one without"
    if len(first.headers) != len(second.headers):
        return "the rule with more headers comes first"
    if len(first.query) != len(second.query):
        return "the rule with more query parameters comes first"
    return ""
