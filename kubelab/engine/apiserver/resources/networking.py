"""Networking: ``networking.k8s.io`` and ``discovery.k8s.io``."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import STATUS, ResourceType

_NETWORKING = "io.k8s.api.networking.v1."

ENDPOINTSLICES = ResourceType(
    "discovery.k8s.io",
    "v1",
    "endpointslices",
    "endpointslice",
    "EndpointSlice",
    "io.k8s.api.discovery.v1.EndpointSlice",
    generation=True,
)
INGRESSES = ResourceType(
    "networking.k8s.io",
    "v1",
    "ingresses",
    "ingress",
    "Ingress",
    _NETWORKING + "Ingress",
    short_names=("ing",),
    subresources=(STATUS,),
    generation=True,
)
INGRESSCLASSES = ResourceType(
    "networking.k8s.io",
    "v1",
    "ingressclasses",
    "ingressclass",
    "IngressClass",
    _NETWORKING + "IngressClass",
    namespaced=False,
    generation=True,
)
NETWORKPOLICIES = ResourceType(
    "networking.k8s.io",
    "v1",
    "networkpolicies",
    "networkpolicy",
    "NetworkPolicy",
    _NETWORKING + "NetworkPolicy",
    short_names=("netpol",),
    generation=True,
)
SERVICECIDRS = ResourceType(
    "networking.k8s.io",
    "v1",
    "servicecidrs",
    "servicecidr",
    "ServiceCIDR",
    _NETWORKING + "ServiceCIDR",
    namespaced=False,
    subresources=(STATUS,),
)
IPADDRESSES = ResourceType(
    "networking.k8s.io",
    "v1",
    "ipaddresses",
    "ipaddress",
    "IPAddress",
    _NETWORKING + "IPAddress",
    namespaced=False,
    short_names=("ip",),
)
