"""Whether Ingresses are served on somebody's cluster, by which class, and below which host of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from kubelab.clusters.existing.access import Access, Object, Refused
from kubelab.clusters.existing.labelled import LABEL

COURSE_CLASS = "kubelab"
"""What the lessons' Ingresses name."""
CLASS_VARIABLE = "KUBELAB_INGRESS_CLASS"
HOST_ANNOTATION = "kubelab.dev/host"
"""On a workshop's namespaces; the same stands in the ConfigMap of the workshop."""
SLIP = "kubelab-workshop"
DOMAIN = "kubelab.test"
"""Where the hosts are of whoever is in no workshop (RFC 6761: `.test` is nobody's)."""
CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
_DEFAULT = "ingressclass.kubernetes.io/is-default-class"

NAME = "kubelab-trial"
SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.2


class Found(NamedTuple):
    """What there is of an ingress."""

    ingress_class: str = ""
    """The class for the lessons' Ingresses; empty: there is none."""
    lacks: str = ""
    """Why there is none."""
    seen: bool = True
    """Whether its object could be read; else a trial has to tell whether anybody serves it."""


def own_host(access: Access, namespace: str, found: Object) -> str:
    """Below which all hosts of this namespace are; ``found``: the namespace, as far as one may see it."""
    if told := ((found.get("metadata") or {}).get("annotations") or {}).get(HOST_ANNOTATION):
        return str(told).lower()
    with suppress(Refused):
        slip = access.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/{SLIP}")
        if told := (slip.get("data") or {}).get("host"):
            return str(told).lower()
    return f"{namespace}.{DOMAIN}"


def find(access: Access, wanted: str) -> Found:
    """The class to use: ``wanted``, else the course's own, else the default one, else the only one."""
    try:
        classes = access.ask("GET", CLASSES).get("items") or []
    except Refused as error:
        if error.status == 404:
            return Found(lacks="it has no IngressClasses")
        if error.status != 403:
            raise
        return Found(wanted or COURSE_CLASS, seen=False)
    return chosen(classes, wanted)


def chosen(classes: Sequence[Object], wanted: str) -> Found:
    """One of these classes."""
    names = sorted(each["metadata"]["name"] for each in classes)
    if wanted and wanted not in names:
        return Found(lacks=f"it has no IngressClass {wanted}, but {', '.join(names) or 'none at all'}")
    default = [each["metadata"]["name"] for each in classes
               if (each["metadata"].get("annotations") or {}).get(_DEFAULT) == "true"]  # fmt: skip
    for candidates in ([wanted], [COURSE_CLASS], default, names):
        if len(candidates) == 1 and candidates[0] in names:
            return Found(candidates[0])
    if not names:
        return Found(lacks="it has no IngressClass: no ingress controller is there")
    listed = ", ".join(names)
    return Found(lacks=f"it has several IngressClasses and no default; name one in {CLASS_VARIABLE}: {listed}")


def trial(
    access: Access,
    namespace: str,
    found: Found,
    host: str,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found:
    """Make an Ingress, see whether a controller gives it an address, and take it away again. Raises `ClusterError`."""
    ingresses = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses"
    _take_away(access, f"{ingresses}/{NAME}")
    try:
        access.ask("POST", ingresses, body=_ingress(found.ingress_class, f"{NAME}.{host}"))
    except Refused as error:
        return Found(lacks=f"an Ingress is refused ({error})")
    deadline = clock() + SECONDS
    try:
        while clock() < deadline:
            status = access.ask("GET", f"{ingresses}/{NAME}").get("status") or {}
            if (status.get("loadBalancer") or {}).get("ingress"):
                return found
            sleep(LOOK_EVERY_SECONDS)
    finally:
        _take_away(access, f"{ingresses}/{NAME}")
    return Found(
        lacks=f"nobody served an Ingress of the class {found.ingress_class} within {SECONDS:g} s; {CLASS_VARIABLE} "
        "names another class"
    )


def _ingress(ingress_class: str, host: str) -> Object:
    backend = {"service": {"name": NAME, "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": NAME, "labels": {LABEL: "kubelab"}},
        "spec": {"ingressClassName": ingress_class, "rules": [rule]},
    }


def _take_away(access: Access, path: str) -> None:
    """The trial's Ingress of now or of before, if it is one."""
    with suppress(Refused):
        labels = access.ask("GET", path)["metadata"].get("labels") or {}
        if labels.get(LABEL) == "kubelab":
            access.ask("DELETE", path)
