"""Who a pod of a StatefulSet is: its ordinal, its name, its host name under the governing Service.

https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity
"""

from __future__ import annotations

from kubelab.engine.client import Object
from kubelab.engine.client.resources import STATEFULSETS
from kubelab.engine.controllers.history import REVISION_LABEL, template_of
from kubelab.engine.controllers.labels import labels_of
from kubelab.engine.controllers.pod_control import pod_of

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


def ordinals(statefulset: Object) -> range:
    """The ordinals that should be there."""
    spec = statefulset["spec"]
    start = (spec.get("ordinals") or {}).get("start", 0)
    return range(start, start + spec.get("replicas", 1))


def ordinal_of(statefulset: Object, pod: Object) -> int | None:
    """The number at the end of the pod's name; None when the name is not one of the StatefulSet's."""
    owner, _, number = pod["metadata"]["name"].rpartition("-")
    is_ours = owner == statefulset["metadata"]["name"] and number.isdigit() and str(int(number)) == number
    return int(number) if is_ours else None


def revision_of(pod: Object) -> str:
    """The name of the revision that the pod was made of; empty for none."""
    return labels_of(pod).get(REVISION_LABEL, "")


def stateful_pod(statefulset: Object, ordinal: int, revision: Object) -> Object:
    """The pod of an ordinal, of the template that the revision holds.

    Host name and subdomain give it the DNS name ``web-0.web`` once a headless Service ``web`` selects it.
    """
    pod = pod_of(statefulset, STATEFULSETS, template_of(revision))
    meta, name = pod["metadata"], f"{statefulset['metadata']['name']}-{ordinal}"
    del meta["generateName"]
    labels = {POD_NAME_LABEL: name, INDEX_LABEL: str(ordinal), REVISION_LABEL: revision["metadata"]["name"]}
    meta |= {"name": name, "labels": {**meta.get("labels", {}), **labels}}
    spec = {**pod["spec"], "hostname": name}
    if service := statefulset["spec"].get("serviceName"):
        spec["subdomain"] = service
    return {"metadata": meta, "spec": spec}
