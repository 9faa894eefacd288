"""The columns of Ingresses and IngressClasses."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.admission import is_default_class
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.tables import cells as c
from kubelab.engine.apiserver.tables.cells import AGE, NAME, NONE, Column

_MOST_HOSTS = 3

INGRESS_COLUMNS = (
    NAME,
    Column("Class", description="The IngressClass, which says whose controller serves this Ingress."),
    Column("Hosts", description="The hosts that its rules are for."),
    Column("Address", description="Where the load balancer or the controller receives requests."),
    Column("Ports", description="The ports on which it is served: 443 only with TLS."),
    AGE,
)

INGRESS_CLASS_COLUMNS = (
    NAME,
    Column("Controller", description="The controller that serves the Ingresses of this class."),
    Column("Parameters", description="An object with more settings for the controller."),
    AGE,
)


def ingress_cells(obj: Object, now: float) -> list[Any]:
    """One row for an Ingress."""
    spec = obj["spec"]
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    return [
        obj["metadata"]["name"],
        spec.get("ingressClassName", NONE),
        _hosts(spec.get("rules") or []),
        ",".join(sorted({address for one in points if (address := one.get("ip") or one.get("hostname"))})),
        "80, 443" if spec.get("tls") else "80",
        c.age(obj, now),
    ]


def _hosts(rules: list[Any]) -> str:
    """Three at most; as upstream counts it, the rest is the number of rules beyond three, with a host or without."""
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = ",".join(hosts[:_MOST_HOSTS]) or "*"
    full = [bool(rule.get("host")) for rule in rules[:-1]].count(True) >= _MOST_HOSTS
    return f"{shown} + {len(rules) - _MOST_HOSTS} more..." if full else shown


def ingress_class_cells(obj: Object, now: float) -> list[Any]:
    """One row for an IngressClass; since 1.35 the default one says so."""
    name, spec = obj["metadata"]["name"], obj["spec"]
    target, shown = spec.get("parameters"), NONE
    if target:
        group = f".{target['apiGroup']}" if "apiGroup" in target else ""
        shown = f"{target['kind']}{group}/{target['name']}"
    return [f"{name} (default)" if is_default_class(obj) else name, spec["controller"], shown, c.age(obj, now)]
