"""An empty cluster again: every object that is not the system's own goes, at once."""

from __future__ import annotations

import asyncio

from kubelab.engine import addons, gateway_api, marking
from kubelab.engine.client import ApiError, Client, Object, Resource, is_not_found
from kubelab.engine.client.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    CONFIGMAPS,
    CONTROLLERREVISIONS,
    CUSTOMRESOURCEDEFINITIONS,
    DAEMONSETS,
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    EVENTS,
    INGRESSCLASSES,
    INGRESSES,
    LIMITRANGES,
    NAMESPACES,
    NETWORKPOLICIES,
    NODES,
    PODDISRUPTIONBUDGETS,
    PODS,
    PRIORITYCLASSES,
    REPLICASETS,
    RESOURCEQUOTAS,
    ROLEBINDINGS,
    ROLES,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    VALIDATINGADMISSIONPOLICIES,
    VALIDATINGADMISSIONPOLICYBINDINGS,
)

SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", addons.INGRESS_NAMESPACE})
_KINDS = (INGRESSES, SERVICES, DEPLOYMENTS, REPLICASETS, DAEMONSETS, STATEFULSETS, CONTROLLERREVISIONS, PODS,
          NETWORKPOLICIES, PODDISRUPTIONBUDGETS, RESOURCEQUOTAS, LIMITRANGES,
          ENDPOINTS, ENDPOINTSLICES, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, ROLEBINDINGS, ROLES, EVENTS)  # fmt: skip
_ELSEWHERE = (
    Resource("batch", "v1", "cronjobs", "CronJob"),
    Resource("batch", "v1", "jobs", "Job"),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    Resource("", "v1", "replicationcontrollers", "ReplicationController"),
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
)
"""What Kubernetes' own control plane serves beside these: on kind, and under the embedded nodes."""
_OWN = {("services", "kubernetes"), ("endpoints", "kubernetes"), ("endpointslices", "kubernetes"),
        ("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}  # fmt: skip
_BOOTSTRAPPED = ("kubernetes.io/bootstrapping", "rbac-defaults")
_LABELS_OF_NODES = ("kubernetes.io/", "beta.kubernetes.io/")
_TAINTS_OF_NODES = ("node-role.kubernetes.io/", "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_POD_SECURITY = "pod-security.kubernetes.io/"
RETRY_SECONDS = 0.05


async def reset(client: Client) -> None:
    """Delete what the learner made, wait until it is gone, and put back what is missing of the system or changed."""
    await empty(client)
    await _remove_rights(client)
    await addons.install(client)
    await addons.restore(client)
    await addons.install_ingress(client)


async def empty(client: Client, system_namespaces: frozenset[str] = SYSTEM_NAMESPACES) -> None:
    """Delete what the learner made, and wait until it is gone; so too a namespace of the system that is on its way."""
    await _remove_policies(client)
    listed = await client.list(NAMESPACES)
    await _lift_pod_security(client, listed["items"])
    async with asyncio.TaskGroup() as group:
        for obj in listed["items"]:
            if obj["metadata"]["name"] not in system_namespaces or obj["metadata"].get("deletionTimestamp"):
                group.create_task(_empty(client, obj))
        group.create_task(_remove_classes(client))
        group.create_task(_remove_ingresses_of_the_system(client))
        group.create_task(_remove_custom_objects(client))
        group.create_task(_restore_nodes(client))


async def _empty(client: Client, obj: Object) -> None:
    namespace = obj["metadata"]["name"]
    if namespace != "default":
        await _release(client, NAMESPACES, obj)
        await _quietly_delete(client, NAMESPACES, namespace)
    while await _sweep(client, namespace):  # noqa: ASYNC110  (a sweep is the question and the deed)
        await asyncio.sleep(RETRY_SECONDS)


async def _sweep(client: Client, namespace: str) -> bool:
    """Ask for the end of all that is left; whether there was anything (the namespace itself counts)."""
    found = False
    for resource in (*_ELSEWHERE, *_KINDS):
        for obj in await _listed(client, resource, namespace):
            if namespace == "default" and _is_own(resource, obj):
                continue
            found = True
            await _release(client, resource, obj)
            await _quietly_delete(client, resource, obj["metadata"]["name"], namespace)
    return found or (namespace != "default" and await _exists(client, namespace))


async def _listed(client: Client, resource: Resource, namespace: str) -> list[Object]:
    try:
        return (await client.list(resource, namespace)).get("items") or []
    except ApiError as error:
        if not is_not_found(error):
            raise
        return []  # nobody serves it here


async def _remove_policies(client: Client) -> None:
    """First: they could forbid all that follows."""
    for resource in (VALIDATINGADMISSIONPOLICYBINDINGS, VALIDATINGADMISSIONPOLICIES):
        for obj in (await client.list(resource))["items"]:
            await _quietly_delete(client, resource, obj["metadata"]["name"])


async def _lift_pod_security(client: Client, namespaces: list[Object]) -> None:
    """A label that a learner gave to a namespace that stays could keep the system's own pods out."""
    for obj in namespaces:
        strict = [label for label in obj["metadata"].get("labels") or {} if label.startswith(_POD_SECURITY)]
        if strict:
            patch = {"metadata": {"labels": dict.fromkeys(strict)}}
            await client.patch(NAMESPACES, obj["metadata"]["name"], patch)


async def _remove_classes(client: Client) -> None:
    for obj in (await client.list(INGRESSCLASSES))["items"]:
        if obj["metadata"]["name"] != addons.INGRESS_CLASS:
            await _quietly_delete(client, INGRESSCLASSES, obj["metadata"]["name"])
    for obj in (await client.list(PRIORITYCLASSES))["items"]:
        if not obj["metadata"]["name"].startswith("system-"):
            await _quietly_delete(client, PRIORITYCLASSES, obj["metadata"]["name"])


async def _remove_ingresses_of_the_system(client: Client) -> None:
    """The system has none: what is there is the learner's."""
    for obj in (await client.list(INGRESSES))["items"]:
        if obj["metadata"]["namespace"] in SYSTEM_NAMESPACES:
            await _quietly_delete(client, INGRESSES, obj["metadata"]["name"], obj["metadata"]["namespace"])


async def _restore_nodes(client: Client) -> None:
    """Uncordoned, and without the labels and taints that learners gave them."""
    for node in (await client.list(NODES))["items"]:
        labels, spec = node["metadata"].get("labels") or {}, node["spec"]
        own = marking.LABELS if "node-role.kubernetes.io/control-plane" in labels else {}
        foreign = {key: None for key in labels if key not in own and not key.startswith(_LABELS_OF_NODES)}
        taints = [each for each in spec.get("taints") or () if each["key"].startswith(_TAINTS_OF_NODES)]
        if foreign or spec.get("unschedulable") or taints != (spec.get("taints") or []):
            patch = {"metadata": {"labels": foreign}, "spec": {"unschedulable": None, "taints": taints or None}}
            await client.patch(NODES, node["metadata"]["name"], patch)


async def _remove_rights(client: Client) -> None:
    """Roles and bindings of the cluster and of the system's namespaces, but for those that the system came with."""
    for resource in (CLUSTERROLEBINDINGS, CLUSTERROLES, ROLEBINDINGS, ROLES):
        for obj in (await client.list(resource))["items"]:
            meta = obj["metadata"]
            own = _BOOTSTRAPPED in (meta.get("labels") or {}).items()
            if not own and (resource.kind, meta.get("namespace", ""), meta["name"]) not in addons.rights():
                await _quietly_delete(client, resource, meta["name"], meta.get("namespace"))


async def _remove_custom_objects(client: Client) -> None:
    """Definitions go, with all their objects; those of the Gateway API stay, and only their objects go."""
    for definition in (await client.list(CUSTOMRESOURCEDEFINITIONS))["items"]:
        if definition["spec"]["group"] != gateway_api.GROUP:
            await _release_all(client, definition)
            await _quietly_delete(client, CUSTOMRESOURCEDEFINITIONS, definition["metadata"]["name"])
            continue
        resource = _resource_of(definition)
        for obj in (await client.list(resource))["items"]:
            if (resource.plural, obj["metadata"]["name"]) != ("gatewayclasses", addons.INGRESS_CLASS):
                await _release(client, resource, obj)
                await _quietly_delete(client, resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))


def _resource_of(definition: Object) -> Resource:
    spec = definition["spec"]
    version = next(version["name"] for version in spec["versions"] if version["served"])
    names = spec["names"]
    return Resource(spec["group"], version, names["plural"], names["kind"], namespaced=spec["scope"] == "Namespaced")


def _is_own(resource: Resource, obj: Object) -> bool:
    return (resource.plural, obj["metadata"]["name"]) in _OWN


async def _release_all(client: Client, definition: Object) -> None:
    if not any(version["served"] for version in definition["spec"]["versions"]):
        return
    resource = _resource_of(definition)
    try:
        listed = await client.list(resource)
    except ApiError as error:
        if not is_not_found(error):  # as long as its names are another's
            raise
        return
    for obj in listed["items"]:
        await _release(client, resource, obj)


async def _release(client: Client, resource: Resource, obj: Object) -> None:
    """From finalizers: those of a learner's object wait for a controller that need not exist."""
    meta = obj["metadata"]
    if not meta.get("finalizers"):
        return
    try:
        await client.patch(resource, meta["name"], {"metadata": {"finalizers": None}}, meta.get("namespace"))
    except ApiError as error:
        if not is_not_found(error):
            raise


async def _quietly_delete(client: Client, resource: Resource, name: str, namespace: str | None = None) -> None:
    try:
        await client.delete(resource, name, namespace, grace_seconds=0, propagation="Background")
    except ApiError as error:
        if not is_not_found(error) and error.code != 409:
            raise


async def _exists(client: Client, namespace: str) -> bool:
    try:
        await client.get(NAMESPACES, namespace)
    except ApiError as error:
        if is_not_found(error):
            return False
        raise
    return True
