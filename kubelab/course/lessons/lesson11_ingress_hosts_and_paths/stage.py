"""The apps that the lesson's Ingresses lead to, a Deployment of the lessons' server and a Service each; neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from kubelab.course import files
from kubelab.lab import kinds, waiting
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, LabError, Lacking
from kubelab.lab.lab import Lab
from kubelab.lab.survey import everywhere
from kubelab.routing.classes import class_name

PACKAGE = "lesson11_ingress_hosts_and_paths"
START_SECONDS = 180
CLASS = "kubelab"
"""The IngressClass of the controller that every kubelab cluster has."""
NEXT_DOOR = "next-door"
MOVED_OUT_SECONDS = 60
_INGRESS = kinds.named("ingress")


class App(NamedTuple):
    """A Deployment and the Service of the same name."""

    app: str
    port: int = 80
    port_name: str = "http"
    replicas: int = 1

    @property
    def objects(self) -> list[Object]:
        """Both."""
        return files.manifest(PACKAGE, "app", **self._asdict())


def set_up(lab: Lab, *names: str) -> None:
    """Start an app of one pod under each of these names, port 80, and wait until all are ready.

    Neighbours who are there from an earlier run move out first.
    """
    move_out(lab)
    start(lab, [App(name) for name in names])


def start(lab: Lab, apps: Iterable[App]) -> None:
    """Start these apps and wait until they are ready. Raises `LabError` where others catch all requests."""
    undisturbed(lab)
    listed = list(apps)
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply([each for app in listed for each in app.objects])
    for app in listed:
        lab.wait(f"deployment/{app.app}", "available", timeout=START_SECONDS)
        if app.replicas:
            lab.wait(f"service/{app.app}", "endpoints")


def undisturbed(lab: Lab) -> None:
    """Raises `LabError` when an Ingress elsewhere takes requests for hosts that nobody names: they are asked for here.

    The lesson's own is meant to, where its neighbours look.
    """
    for each in everywhere(lab, _INGRESS):
        spec, name, namespace = each["spec"], each["metadata"]["name"], each["metadata"]["namespace"]
        related = lab.namespace.startswith(namespace)
        catches_all = "defaultBackend" in spec or any(not rule.get("host") for rule in spec.get("rules") or ())
        if catches_all and not related and class_name(each) == CLASS:
            raise LabError(
                f"The Ingress {name} in the namespace {namespace} takes the requests for all hosts that nobody names, "
                f"and this lesson sends such requests; `kubectl delete ingress {name} -n {namespace}` takes it away."
            )


def move_in(lab: Lab) -> Lab:
    """The team next door: a lab in a namespace of its own, with one app in it."""
    neighbours = Lab(lab.cluster, lab.api, f"{lab.namespace}-{NEXT_DOOR}")
    neighbours.objects.ensure_namespace()
    start(neighbours, [App(NEXT_DOOR)])
    return neighbours


def move_out(lab: Lab) -> None:
    """Take the neighbours' namespace away with all that is in it, and wait until its Ingresses are gone."""
    neighbours = Lab(lab.cluster, lab.api, f"{lab.namespace}-{NEXT_DOOR}")
    try:
        lab.api.request("DELETE", kinds.NAMESPACE.path("", neighbours.namespace))
    except Lacking:
        return  # where there is one namespace, nobody has moved in
    except ApiError as error:
        if error.status not in (403, 404, 409):
            raise

    def look() -> waiting.Seen:
        left = neighbours.find("ingresses")
        return waiting.Seen(not left, f"{len(left)} of them")

    waiting.until(look, f"The Ingresses of {neighbours.namespace} are still there", MOVED_OUT_SECONDS)


def missing(lab: Lab, apps: Iterable[App]) -> bool:
    """Whether the start state is not there: a Deployment is gone."""
    there = {each["metadata"]["name"] for each in lab.find("deployments")}
    return not {app.app for app in apps} <= there


def changed(lab: Lab, apps: Iterable[App]) -> list[str]:
    """The Deployments and Services that are no longer what they were at the start: ``Service cart``."""
    wanted = [each for app in apps for each in app.objects]
    return [f"{each['kind']} {each['metadata']['name']}" for each in wanted if not _as_it_was(lab, each)]


def ingress(name: str, rules: Iterable[Mapping[str, Any]] = (), **spec: Any) -> Object:
    """An Ingress of the lesson's class; what is in ``spec`` has the last word."""
    listed = list(rules)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": CLASS, **({"rules": listed} if listed else {}), **spec},
    }


def path(kind: str, value: str, service: str, port: int | str = 80) -> dict[str, Any]:
    """A path of a rule; the port by its number or its name."""
    by = "name" if isinstance(port, str) else "number"
    return {"path": value, "pathType": kind, "backend": {"service": {"name": service, "port": {by: port}}}}


def rule(host: str, paths: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A rule for a host, or without one."""
    return {**({"host": host} if host else {}), "http": {"paths": list(paths)}}


def _as_it_was(lab: Lab, wanted: Object) -> bool:
    live = lab.find_one(f"{wanted['kind'].lower()}/{wanted['metadata']['name']}")
    return live is not None and _within(wanted["spec"], live["spec"])


def _within(wanted: Any, live: Any) -> bool:
    """Whether everything that was wanted is there; the API server adds its defaults."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_within(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(_within(*pair) for pair in zip(wanted, live, strict=True))
    return bool(wanted == live)
