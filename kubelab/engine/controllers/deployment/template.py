"""From a Deployment's pod template to its ReplicaSet."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Object
from kubelab.engine.client.resources import DEPLOYMENTS
from kubelab.engine.controllers.owners import controller_reference
from kubelab.engine.controllers.templates import HASH_LABEL, same_template, template_hash


def find_new(deployment: Object, replicasets: Iterable[Object]) -> Object | None:
    """The ReplicaSet of the Deployment's present template; the oldest, should there be several."""
    template = deployment["spec"]["template"]
    matching = [each for each in replicasets if same_template(each["spec"]["template"], template)]
    return min(matching, key=by_age, default=None)


def by_age(obj: Object) -> tuple[str, str]:
    """Sorts the oldest first, then by name."""
    return obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["name"]


def new_replicaset(deployment: Object, replicas: int, annotations: dict[str, str]) -> Object:
    """The ReplicaSet for the Deployment's present template, to be created."""
    spec, meta = deployment["spec"], deployment["metadata"]
    hashed = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template_meta = spec["template"].get("metadata") or {}
    labels = {**(template_meta.get("labels") or {}), HASH_LABEL: hashed}
    selector = spec["selector"]
    template = {**spec["template"], "metadata": {**template_meta, "labels": labels}}
    replicaset_spec: Object = {
        "replicas": replicas,
        "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: hashed}},
        "template": template,
    }
    if spec.get("minReadySeconds"):
        replicaset_spec["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "metadata": {
            "name": f"{meta['name']}-{hashed}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [controller_reference(deployment, DEPLOYMENTS)],
        },
        "spec": replicaset_spec,
    }
