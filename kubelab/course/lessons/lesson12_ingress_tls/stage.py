"""What the lesson's certificates stand in front of: apps that speak plain HTTP, and Ingresses with names in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelab.course import files
from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.survey import everywhere

PACKAGE = "lesson12_ingress_tls"
START_SECONDS = 180


def set_up(lab: Lab, *apps: str) -> None:
    """Start an app of one pod under each of these names, and wait until all are ready."""
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply([each for app in apps for each in files.manifest(PACKAGE, "app", app=app)])
    for app in apps:
        lab.wait(f"deployment/{app}", "available", timeout=START_SECONDS)
        lab.wait(f"service/{app}", "endpoints")


def ingress(name: str, rules: Mapping[str, str], tls: Mapping[str, str] | None = None) -> Object:
    """An Ingress: ``rules`` says whose app answers for a host, ``tls`` which Secret a host's certificate is in."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {
            "ingressClassName": "kubelab",
            "tls": [{"hosts": [host], "secretName": secret} for host, secret in (tls or {}).items()],
            "rules": [_rule(host, app) for host, app in rules.items()],
        },
    }


def claim(lab: Lab, hosts: Iterable[str]) -> None:
    """Raises `LabError` when an Ingress of another namespace has one of these hosts: it was first, and it is served."""
    wanted = set(hosts)
    for each in everywhere(lab, kinds.named("ingress")):
        space, name = each["metadata"]["namespace"], each["metadata"]["name"]
        taken = wanted & {rule.get("host") for rule in (each.get("spec") or {}).get("rules") or ()}
        if taken and space != lab.namespace:
            raise LabError(
                f"{min(taken)} belongs to Ingress {name} in namespace {space}; "
                f"`kubectl delete ingress {name} -n {space}` gives it back."
            )


def tls_of(lab: Lab) -> list[Object]:
    """The ``tls`` entries of all Ingresses here."""
    return [entry for each in lab.find("ingresses") for entry in (each.get("spec") or {}).get("tls") or ()]


def _rule(host: str, app: str) -> Object:
    backend = {"service": {"name": app, "port": {"number": 80}}}
    return {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
