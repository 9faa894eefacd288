"""Gateways, HTTPRoutes and what goes with them, as manifests (gateway.networking.k8s.io/v1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kubelab.lab import kinds, waiting
from kubelab.lab.api import Object
from kubelab.lab.errors import Lacking, NotFound
from kubelab.lab.lab import Lab

API_VERSION = "gateway.networking.k8s.io/v1"
CLASS = "kubelab"
"""The GatewayClass that every kubelab cluster has."""
GONE_SECONDS = 60


def gateway(name: str, *listeners: Mapping[str, Any]) -> Object:
    """A Gateway of the lesson's class."""
    spec = {"gatewayClassName": CLASS, "listeners": list(listeners)}
    return {"apiVersion": API_VERSION, "kind": "Gateway", "metadata": {"name": name}, "spec": spec}


def listener(name: str = "http", *, hostname: str = "", secret: Mapping[str, str] | None = None, **more: Any) -> Object:
    """A listener at port 80, or at 443 with a certificate; what is in ``more`` has the last word."""
    ends_tls = {"tls": {"certificateRefs": [dict(secret)]}} if secret else {}
    port, protocol = (443, "HTTPS") if secret else (80, "HTTP")
    named = {"hostname": hostname} if hostname else {}
    return {"name": name, "port": port, "protocol": protocol, **named, **ends_tls, **more}


def http_route(name: str, parent: Mapping[str, Any], hostnames: Iterable[str], *rules: Mapping[str, Any]) -> Object:
    """An HTTPRoute with one parent."""
    spec = {"parentRefs": [dict(parent)], "hostnames": list(hostnames), "rules": list(rules)}
    return {"apiVersion": API_VERSION, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def rule(backends: Mapping[str, int], port: int = 80, *, path: str = "", **more: Any) -> Object:
    """A rule that sends what begins with ``path`` (everything, when left out) to Services, by their weights."""
    matches = {"matches": [{"path": {"type": "PathPrefix", "value": path}}]} if path else {}
    refs = [{"name": name, "port": port, "weight": weight} for name, weight in backends.items()]
    return {**matches, "backendRefs": refs, **more}


def beside(lab: Lab, team: str) -> Lab:
    """A lab in the namespace of another team of the same cluster: ``lesson-14-platform``."""
    return Lab(lab.cluster, lab.api, f"{lab.namespace}-{team}")


def take_away(*labs: Lab) -> None:
    """Delete the namespaces of these labs with all that is in them, and wait until that is so."""
    for each in labs:
        try:
            each.api.request("DELETE", kinds.NAMESPACE.path("", each.namespace))
        except NotFound:
            continue
        except Lacking:
            return  # where there is one namespace, nobody has made another
    going = {each.namespace for each in labs}

    def look() -> waiting.Seen:
        there = {found["metadata"]["name"] for each in labs[:1] for found in each.find("namespaces")}
        return waiting.Seen(not going & there, f"there is {', '.join(sorted(going & there))}")

    waiting.until(look, "A namespace is still there", GONE_SECONDS)
