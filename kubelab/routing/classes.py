"""Which Ingresses a controller serves.

An Ingress names an IngressClass (``spec.ingressClassName``), and the class names its controller. Without that field
the older annotation ``kubernetes.io/ingress.class`` is read, as the name of a class; it was never defined, so the field
wins where both are there. An Ingress with neither belongs to nobody: the cluster's default class is written into the
field when an Ingress is created, by admission, and never later
(https://kubernetes.io/docs/concepts/services-networking/ingress/#default-ingress-class, 1.36).
"""

from __future__ import annotations

from typing import NamedTuple

from kubelab.routing.model import ObjectName, Problem
from kubelab.routing.objects import Object, Objects, age, name_of, problem

ANNOTATION = "kubernetes.io/ingress.class"


class Claimed(NamedTuple):
    """The Ingresses that are served, the oldest first, and what is wrong with the others of these classes."""

    ingresses: tuple[Object, ...]
    problems: tuple[Problem, ...]


def class_name(ingress: Object) -> str:
    """The class that an Ingress asks for; empty for none."""
    named = ingress["spec"].get("ingressClassName")
    return named or (ingress["metadata"].get("annotations") or {}).get(ANNOTATION) or ""


def claim(objects: Objects, controller: str) -> Claimed:
    """The Ingresses of the classes with this controller. A class with parameters is refused: it has none here."""
    ours = (each for each in objects.ingress_classes if each["spec"].get("controller") == controller)
    classes = {each["metadata"]["name"]: each for each in ours}
    refused = {name for name, each in classes.items() if each["spec"].get("parameters")}
    mine = sorted((each for each in objects.ingresses if class_name(each) in classes), key=age)
    problems = [_refusal(name_of("IngressClass", classes[name]), "spec.parameters", name) for name in sorted(refused)]
    problems += [
        _refusal(name_of("Ingress", each), "spec.ingressClassName", class_name(each))
        for each in mine
        if class_name(each) in refused
    ]
    return Claimed(tuple(each for each in mine if class_name(each) not in refused), tuple(problems))


def _refusal(owner: ObjectName, field: str, name: str) -> Problem:
    return problem(
        owner,
        field,
        "ClassParameters",
        f"IngressClass {name} has spec.parameters, and this controller knows no parameters: nothing of this class is "
        "served; take spec.parameters out of the class",
    )
