"""What the cluster is like: asked of its API, never assumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kubelab.grading.report import WORKSHOP_LABEL
from kubelab.lab.api import Object
from kubelab.lab.errors import NotFound
from kubelab.workshop.access import Access
from kubelab.workshop.errors import WorkshopError

INGRESS_CONTROLLERS = (
    "kubelab-ingress-controller", "ingress-nginx", "nginx-ingress", "traefik", "haproxy-ingress",
    "kubernetes-ingress", "contour", "envoy-gateway", "kong", "istio-ingress", "emissary-ingress", "apisix",
)  # fmt: skip
"""What the Services and pods of Ingress controllers say of themselves in ``app.kubernetes.io/name``."""
NODE_PORTS_QUOTA = "services.nodeports"
"""In a ResourceQuota; ports of Services of type LoadBalancer count, too."""
NEEDED = (
    ("create", "", "namespaces", ""),
    ("create", "", "serviceaccounts", ""),
    ("create", "", "serviceaccounts", "token"),
    ("create", "", "resourcequotas", ""),
    ("create", "networking.k8s.io", "networkpolicies", ""),
    ("create", "rbac.authorization.k8s.io", "rolebindings", ""),
    ("create", "rbac.authorization.k8s.io", "clusterroles", ""),
)
"""Verb, group, resource, subresource: without these there can be no workshop."""


@dataclass(frozen=True)
class Facts:
    """What the objects of a workshop depend on."""

    version: str = ""
    ingress_namespaces: tuple[str, ...] = ()
    """Where Ingress controllers run; empty: none was found."""
    ingress_classes: int = 0
    dns_address: str = ""
    """Of the Service kube-dns; empty: there is none of that name."""
    api_endpoints: tuple[tuple[str, int], ...] = ()
    """Address and port: of the Service ``kubernetes`` and of what is behind it."""
    service_ranges: tuple[str, ...] = ()
    """CIDRs of Services' addresses; empty: the cluster does not tell."""
    pod_ranges: tuple[str, ...] = ()
    """CIDRs of the nodes' pods; empty: the nodes do not tell."""
    guards: bool = False
    """Whether ValidatingAdmissionPolicy (Kubernetes 1.30) is served, by which `guards` can be refused."""
    promised_node_ports: Mapping[str, int] = field(default_factory=dict)
    """To learners of workshops that are there: namespace → how many."""

    @property
    def notes(self) -> list[str]:
        """Sentences for who makes the workshop: what learners will miss here."""
        said = []
        if not self.ingress_classes:
            said.append("There is no IngressClass here: nobody serves the learners' Ingresses.")
        elif not self.ingress_namespaces:
            said.append(
                "It is not clear where the Ingress controller runs, so the NetworkPolicies let it in from outside "
                "only; --ingress-namespace names its namespace."
            )
        if not self.pod_ranges:
            said.append(
                "The nodes do not tell the addresses of their pods, so the NetworkPolicies let nothing in from outside "
                "the cluster: NodePorts and load balancers of learners will not answer."
            )
        if not self.guards:
            said.append(
                "This cluster has no ValidatingAdmissionPolicy (it is older than Kubernetes 1.30): learners can take "
                "each other's hosts, and make tokens that end with their namespaces only."
            )
        return said


def ask(access: Access, ingress_namespaces: tuple[str, ...] = ()) -> Facts:
    """Look around; ``ingress_namespaces`` is what somebody knows better. Raises `WorkshopError`, `LabError`."""
    _require_rights(access)
    controllers = access.listed("/api/v1/services", f"app.kubernetes.io/name in ({','.join(INGRESS_CONTROLLERS)})")
    found = sorted({each["metadata"]["namespace"] for each in controllers})
    return Facts(
        version=str(access.request("GET", "/version").get("gitVersion", "")),
        ingress_namespaces=ingress_namespaces or tuple(found),
        ingress_classes=len(_if_served(access, "/apis/networking.k8s.io/v1/ingressclasses")),
        dns_address=next(iter(_addresses(_if_served(access, "/api/v1/namespaces/kube-system/services/kube-dns"))), ""),
        api_endpoints=_api_endpoints(access),
        service_ranges=tuple(
            sorted(
                cidr
                for each in _if_served(access, "/apis/networking.k8s.io/v1/servicecidrs")
                for cidr in each["spec"]["cidrs"]
            )
        ),
        pod_ranges=_pod_ranges(access.listed("/api/v1/nodes")),
        guards=_serves(access, "admissionregistration.k8s.io/v1", "validatingadmissionpolicies"),
        promised_node_ports={
            each["metadata"]["namespace"]: int(each["spec"]["hard"][NODE_PORTS_QUOTA])
            for each in access.listed("/api/v1/resourcequotas", WORKSHOP_LABEL)
            if NODE_PORTS_QUOTA in (each["spec"].get("hard") or {})
        },
    )


def _require_rights(access: Access) -> None:
    def allowed(right: tuple[str, str, str, str]) -> bool:
        verb, group, resource, below = right
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": below}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                  "spec": {"resourceAttributes": asked}}  # fmt: skip
        answer = access.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
        return bool((answer.get("status") or {}).get("allowed"))

    granted = access.each(allowed, NEEDED)
    missing = ["/".join(filter(None, right[2:])) for right, yes in zip(NEEDED, granted, strict=True) if not yes]
    if missing:
        raise WorkshopError(
            f"You may not create {', '.join(missing)} on {access.address.server}; a workshop needs an administrator "
            "of the cluster (--context chooses another context)."
        )


def _api_endpoints(access: Access) -> tuple[tuple[str, int], ...]:
    service = access.request("GET", "/api/v1/namespaces/default/services/kubernetes")
    slices = access.listed(
        "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", "kubernetes.io/service-name=kubernetes"
    )
    found = {(address, int(port["port"])) for address in _addresses([service]) for port in service["spec"]["ports"]}
    for each in slices:
        for port in each.get("ports") or ():
            for endpoint in each.get("endpoints") or ():
                found |= {(address, int(port["port"])) for address in endpoint["addresses"]}
    return tuple(sorted(found))


def _addresses(services: list[Object]) -> list[str]:
    return [each["spec"]["clusterIP"] for each in services if each["spec"].get("clusterIP") not in (None, "", "None")]


def _pod_ranges(nodes: list[Object]) -> tuple[str, ...]:
    """Empty as soon as one node does not tell: a range that is missing would be let in as the outside."""
    told = [each["spec"].get("podCIDRs") or [each["spec"].get("podCIDR")] for each in nodes]
    if not told or any(None in ranges for ranges in told):
        return ()
    return tuple(sorted({one for ranges in told for one in ranges}))


def _if_served(access: Access, path: str) -> list[Object]:
    """The objects of a collection, or the one object; none where there is nothing of that name."""
    try:
        answer = access.request("GET", path)
    except NotFound:
        return []
    return list(answer["items"] or ()) if "items" in answer else [answer]


def _serves(access: Access, version: str, plural: str) -> bool:
    try:
        served = access.request("GET", f"/apis/{version}").get("resources") or ()
    except NotFound:
        return False
    return any(each["name"] == plural for each in served)
