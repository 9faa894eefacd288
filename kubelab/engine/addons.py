"""What a fresh cluster holds beside the learner's objects: name server and, where Envoy runs, ingress controller."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine import gateway_api
from kubelab.engine.balancer import manifests as balancer
from kubelab.engine.client import ApiError, Client, Object, Resource, already_exists, is_not_found
from kubelab.engine.client.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CONFIGMAPS,
    DEPLOYMENTS,
    GATEWAYCLASSES,
    INGRESSCLASSES,
    NAMESPACES,
    ROLEBINDINGS,
    ROLES,
    SERVICEACCOUNTS,
    SERVICES,
)
from kubelab.engine.dns import manifests as dns
from kubelab.engine.ingress import envoy
from kubelab.engine.ingress import manifests as ingress
from kubelab.engine.policy import manifests as policy

INGRESS_NAMESPACE = ingress.NAMESPACE
INGRESS_SERVICE = ingress.NAME
INGRESS_CLASS = ingress.CLASS
INGRESS_PORTS = tuple(port for _, port, _ in ingress.PORTS)

_RESOURCES: dict[str, Resource] = {
    each.kind: each
    for each in (
        *(CONFIGMAPS, DEPLOYMENTS, GATEWAYCLASSES, INGRESSCLASSES, NAMESPACES, SERVICEACCOUNTS, SERVICES),
        *(CLUSTERROLES, CLUSTERROLEBINDINGS, ROLES, ROLEBINDINGS),
    )
}


def has_ingress() -> bool:
    """Whether there is an Envoy for this machine."""
    return envoy.binary() is not None


async def install(client: Client) -> None:
    """Create what is missing of the name server, the Gateway API's definitions and the ingress controller.

    What is there, changed by the learner or not, stays as it is. Of the ingress controller everything but its pods: its
    class has to be there before the learner's first Ingress.
    """
    await create_missing(client, [*balancer.manifests(), *dns.manifests()])
    await create_missing(client, policy.manifests())
    await gateway_api.install(client)
    if has_ingress():
        await create_missing(client, (each for each in ingress.manifests() if each["kind"] != "Deployment"))


async def install_ingress(client: Client) -> None:
    """Create what is missing of the ingress controller, where it can run."""
    if has_ingress():
        await create_missing(client, ingress.manifests())


def rights() -> frozenset[tuple[str, str, str]]:
    """Kind, namespace (if any) and name of the roles and bindings of everything that is installed here."""
    manifests = [*balancer.manifests(), *dns.manifests(), *policy.manifests(), *ingress.manifests()]
    granted = (each for each in manifests if each["apiVersion"].startswith(f"{ROLES.group}/"))
    named = ((each["kind"], each["metadata"]) for each in granted)
    return frozenset((kind, meta.get("namespace", ""), meta["name"]) for kind, meta in named)


async def create_missing(client: Client, manifests: Iterable[Object]) -> None:
    """Create those that are not there, in this order, as far as the API serves their kinds."""
    served: dict[str, bool] = {}
    for manifest in manifests:
        version = manifest["apiVersion"]
        if version not in served:
            served[version] = await _is_served(client, version)
        if served[version]:
            await _create(client, manifest)


async def _is_served(client: Client, version: str) -> bool:
    """Whether the API has these kinds at all: an API server without RBAC needs no roles."""
    try:
        await client.send("GET", f"/apis/{version}" if "/" in version else f"/api/{version}")
    except ApiError as error:
        if is_not_found(error):
            return False
        raise
    return True


async def _create(client: Client, manifest: Object) -> None:
    try:
        await client.create(_RESOURCES[manifest["kind"]], manifest)
    except ApiError as error:
        if not already_exists(error):
            raise


async def restore(client: Client) -> None:
    """Give the name server back what a learner may have changed of it: Corefile, number of pods, image, Service."""
    for manifest in dns.manifests():
        if manifest["kind"] in ("ConfigMap", "Deployment", "Service"):
            await client.apply(_RESOURCES[manifest["kind"]], manifest, manager="kubelab", force=True)
