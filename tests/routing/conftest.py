"""Objects to make tables from, in few words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from kubelab.routing.ingress import CONTROLLER, table
from kubelab.routing.objects import Objects


def metadata(name, namespace="", second=0, **more):
    stamp = {"creationTimestamp": f"2026-11-23T12:00:{second:02}Z"}
    return {"name": name, **({"namespace": namespace} if namespace else {}), **stamp, **more}


def ingress_class(name="kubelab", controller=CONTROLLER, **spec):
    return {"metadata": metadata(name), "spec": {"controller": controller, **spec}}


def ingress(name="web", rules=(), *, namespace="shop", second=0, default=None, tls=(), cls="kubelab", **meta):
    """``rules``: (host, [(kind, path, Service)])."""
    spec = {
        **({"ingressClassName": cls} if cls else {}),
        **({"defaultBackend": backend(default)} if default else {}),
        **({"tls": list(tls)} if tls else {}),
        "rules": [rule(host, paths) for host, paths in rules],
    }
    return {"metadata": metadata(name, namespace, second, **meta), "spec": spec}


def rule(host, paths):
    listed = [{"pathType": kind, "path": path, "backend": backend(to)} for kind, path, to in paths]
    return {**({"host": host} if host else {}), **({"http": {"paths": listed}} if listed else {})}


def backend(to):
    """A Service's name, with port 80 or the one behind a colon: a number or a name."""
    if isinstance(to, dict):
        return to
    name, _, port = to.partition(":")
    return {
        "service": {
            "name": name,
            "port": {"name": port} if port and not port.isdigit() else {"number": int(port or 80)},
        }
    }


def service(name, namespace="shop", ports=None, **spec):
    ports = ports or [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": metadata(name, namespace), "spec": {"type": "ClusterIP", "ports": ports, **spec}}


def endpoint_slice(of, *endpoints, namespace="shop", name="", ports=None):
    """``endpoints``: address → its conditions, or an address alone."""
    listed = [
        {
            "addresses": [address],
            "conditions": conditions,
            "targetRef": {"kind": "Pod", "name": f"{of}-{address.rpartition('.')[2]}", "namespace": namespace},
        }
        for address, conditions in ((each, {"ready": True}) if isinstance(each, str) else each for each in endpoints)
    ]
    labels = {"kubernetes.io/service-name": of}
    return {
        "metadata": metadata(name or f"{of}-x", namespace, labels=labels),
        "addressType": "IPv4",
        "ports": ports or [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": listed,
    }


def secret(name, namespace="shop", kind="kubernetes.io/tls", keys=("tls.crt", "tls.key")):
    return {"metadata": metadata(name, namespace), "type": kind, "data": dict.fromkeys(keys, "")}


def tables(*ingresses, services=None, slices=(), classes=None, secrets=()):
    """A table of these Ingresses; without ``services`` every Service that they name is there and has one pod."""
    if services is None:
        services, slices = _all_services(ingresses)
    return table(Objects(ingresses, classes or [ingress_class()], services, slices, secrets))


def _all_services(ingresses):
    named = {(each["metadata"]["namespace"], name) for each in ingresses for name in _names(each["spec"])}
    made = [service(name, namespace) for namespace, name in sorted(named)]
    return made, [
        endpoint_slice(name, f"10.244.1.{number}", namespace=namespace)
        for number, (namespace, name) in enumerate(sorted(named), 1)
    ]


def _names(value):
    if isinstance(value, dict):
        if "port" in value and "name" in value and isinstance(value["port"], dict):
            yield value["name"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _names(each)


@pytest.fixture
def make():
    """The makers of this file."""
    return SimpleNamespace(
        ingress_class=ingress_class,
        ingress=ingress,
        service=service,
        endpoint_slice=endpoint_slice,
        secret=secret,
        table=tables,
    )
