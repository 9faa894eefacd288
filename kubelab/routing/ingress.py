"""Ingresses as a routing table (networking.k8s.io/v1, 1.36).

*Hosts.* Rules with the same host are put together, from whatever Ingress and namespace they come. A request belongs to
one host only: to the rules for its whole name, else to those for ``*.`` and the rest of it, else to those without host.
No path of another host is looked at then.

*Paths.* The longest that matches, and Exact before Prefix: the order in the YAML means nothing.
``ImplementationSpecific`` is Prefix here. The same path of the same host twice: the older Ingress is served
(``creationTimestamp``, then namespace and name; in one Ingress the one further up), the other is a `Problem`. The API
has no rule for this; ingress-nginx and the Gateway API have this one.

*What no path matches* goes to a ``defaultBackend``, of the first of these that is there, the oldest where several are:
for a host with rules, that of an Ingress with rules for this host; that of an Ingress without rules; for hosts that
nobody names, that of any Ingress. Otherwise it is 404.

*A backend that is not there* (no such Service or port, or no Service at all: ``resource``) is a `Problem`, and its path
is answered with 503: the path stays taken, so that a typing error sends nobody to another application. The API leaves
the code open; ingress-nginx answers 503 too, the Gateway API 500. A Service without ready endpoints is 503 everywhere.

*TLS* ends here. Every host is served on port 80 and on port 443; nothing is redirected.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubelab.routing import hosts, paths
from kubelab.routing.certificates import certificates
from kubelab.routing.classes import claim
from kubelab.routing.model import (
    Action,
    Backend,
    Entrance,
    Forward,
    Listener,
    Match,
    ObjectName,
    Origin,
    PathKind,
    PathMatch,
    Problem,
    Respond,
    Route,
    ServicePort,
    Table,
    VirtualHost,
)
from kubelab.routing.objects import Object, Objects, name_of, problem
from kubelab.routing.reasons import DEFAULT_BACKEND
from kubelab.routing.upstreams import Services, Unresolved

CONTROLLER = "kubelab.dev/ingress-controller"
MISSING_BACKEND_STATUS = 503


def table(objects: Objects, controller: str = CONTROLLER) -> Table:
    """What the Ingresses of a controller's classes ask for."""
    claimed = claim(objects, controller)
    rules = _Rules(Services(objects.services, objects.endpoint_slices))
    for ingress in claimed.ingresses:
        rules.add(ingress)
    virtual_hosts = rules.virtual_hosts()
    tls = certificates(claimed.ingresses, objects.secrets)
    return Table(
        entrances=(
            Entrance(80, listeners=(Listener(hosts=virtual_hosts),)),
            Entrance(443, tls=True, listeners=(Listener(hosts=virtual_hosts, certificates=tls.served),)),
        ),
        upstreams=rules.services.upstreams,
        problems=(*claimed.problems, *rules.problems, *tls.problems),
        served=tuple(name_of("Ingress", each) for each in claimed.ingresses),
    )


class _Rules:
    """The rules of Ingresses, which are added in order of age."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.problems: list[Problem] = []
        self._routes: dict[str, dict[tuple[bool, str], Route]] = {}
        self._of_host: dict[str, Route] = {}
        """Host → the default backend of an Ingress with rules for it."""
        self._of_all: Route | None = None
        """The default backend of an Ingress without rules."""
        self._of_unnamed: Route | None = None
        """The default backend of an Ingress with rules, for hosts that nobody names."""

    def add(self, ingress: Object) -> None:
        """Put an Ingress's rules and its default backend behind those that are there."""
        owner = name_of("Ingress", ingress)
        rules = ingress["spec"].get("rules") or ()
        for number, rule in enumerate(rules):
            taken = self._routes.setdefault(rule.get("host") or "", {})
            for match, backend, field in _paths(rule, f"spec.rules[{number}]"):
                self._take(taken, Route(Match(match), self._action(owner, backend, field), Origin(owner, field)))
        backend = ingress["spec"].get("defaultBackend")
        if backend:
            route = Route(Match(), self._action(owner, backend, DEFAULT_BACKEND), Origin(owner, DEFAULT_BACKEND))
            self._take_default(route, [rule.get("host") or "" for rule in rules])

    def virtual_hosts(self) -> tuple[VirtualHost, ...]:
        """Whole names, wildcards, the rules without host; in each its routes in order, the default backend last."""
        routes = {host: sorted(taken.values(), key=_precedence) for host, taken in self._routes.items()}
        routes.setdefault("", [])
        for host, listed in routes.items():
            default = self._of_host.get(host) or self._of_all or (self._of_unnamed if host == "" else None)
            listed += [default] if default else []
        named = ((host, tuple(routes[host])) for host in sorted(routes, key=hosts.precedence))
        return tuple(VirtualHost(host, listed) for host, listed in named if host or listed)

    def _take(self, taken: dict[tuple[bool, str], Route], route: Route) -> None:
        path = route.match.path
        first = taken.setdefault((path.kind == "Exact", paths.effective(path)), route)
        if first is not route:
            message = f"{path.kind} {path.value} of this host is served as {first.origin} says, which came first"
            self.problems.append(Problem(route.origin, "PathConflict", message))

    def _take_default(self, route: Route, ruled: Sequence[str]) -> None:
        if not ruled:
            self._of_all = self._first(self._of_all, route, "whatever no rule matches")
            return
        for host in dict.fromkeys(ruled):
            self._of_host[host] = self._first(self._of_host.get(host), route, f"host {host or 'without name'}")
        self._of_unnamed = self._of_unnamed or route

    def _first(self, first: Route | None, route: Route, what: str) -> Route:
        if first is not None:
            message = f"the default backend for {what} is that of {first.origin.object}, which came first"
            self.problems.append(Problem(route.origin, "DefaultBackendConflict", message))
        return first or route

    def _action(self, owner: ObjectName, backend: Object, field: str) -> Action:
        where = field if field == DEFAULT_BACKEND else f"{field}.backend"
        try:
            return Forward((Backend(self._service_port(owner, backend)),))
        except Unresolved as error:
            self.problems.append(problem(owner, where, error.reason, str(error)))
            return Respond(MISSING_BACKEND_STATUS, str(error))

    def _service_port(self, owner: ObjectName, backend: Object) -> ServicePort:
        service = backend.get("service")
        if not service:
            resource = backend.get("resource") or {}
            name = f"{resource.get('kind')} {resource.get('name')}"
            raise Unresolved("ResourceBackend", f"the backend is {name}; only Services are served here")
        port = service.get("port") or {}
        return self.services.port(owner.namespace, service["name"], port.get("name") or port.get("number") or 0)


def _paths(rule: Object, field: str) -> Iterator[tuple[PathMatch, Object, str]]:
    """A rule without paths only says that its host is known: its requests go to the default backend."""
    for number, path in enumerate((rule.get("http") or {}).get("paths") or ()):
        kind: PathKind = "Exact" if path.get("pathType") == "Exact" else "Prefix"
        yield PathMatch(kind, path.get("path") or "/"), path["backend"], f"{field}.http.paths[{number}]"


def _precedence(route: Route) -> tuple[int, bool, str]:
    return paths.precedence(route.match.path)
