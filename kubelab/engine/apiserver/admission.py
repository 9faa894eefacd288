"""What upstream's admission plugins do to every request: NamespaceLifecycle, ServiceAccount, Priority,
DefaultTolerationSeconds, DefaultIngressClass.

Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/
"""

from __future__ import annotations

import random

from kubelab.engine.apiserver import priorities
from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import forbidden, not_found
from kubelab.engine.apiserver.storage import Store

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Letters of generated names: no vowels, so no words."""
TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
UNDELETABLE = ("default", "kube-system", "kube-public")
_TOKEN_SECONDS = 3607
_TOLERATED_SECONDS = 300
_FILE_MODE = 0o644


def random_suffix() -> str:
    """Five letters, as ``generateName`` appends them."""
    return "".join(random.choices(SUFFIX_ALPHABET, k=5))


def namespace_accepts(store: Store, rtype: ResourceType, namespace: str, name: str) -> None:
    """Raises a Status when the namespace is not there or is on its way out."""
    stored = store.get(r.NAMESPACES.storage_key, ("", namespace))
    if stored is None:
        raise not_found(r.NAMESPACES, namespace)
    if stored.obj["metadata"].get("deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        raise forbidden(rtype, name, why, [cause])


def namespace_may_go(name: str) -> None:
    """Raises a Status for the namespaces that a cluster cannot do without."""
    if name in UNDELETABLE:
        raise forbidden(r.NAMESPACES, name, "this namespace may not be deleted")


def admit_pod(store: Store, pod: Object) -> None:
    """Service account with its token volume, priority, and how long a lost node is tolerated."""
    spec = pod["spec"]
    _service_account(store, pod)
    priorities.admit_pod(store, pod)
    if runtime := spec.get("runtimeClassName"):
        raise forbidden(r.PODS, pod["metadata"].get("name", ""), f'pod rejected: RuntimeClass "{runtime}" not found')
    tolerations = spec.setdefault("tolerations", [])
    for taint in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not any(
            toleration.get("key") in (taint, None, "") and toleration.get("effect") in ("NoExecute", None, "")
            for toleration in tolerations
        ):
            tolerations.append(
                {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATED_SECONDS}
            )


def admit_ingress(store: Store, ingress: Object) -> None:
    """The default class where none is named. Of several the newest, since Kubernetes 1.25 (before: refused)."""
    annotations = ingress["metadata"].get("annotations") or {}
    if "ingressClassName" in ingress["spec"] or "kubernetes.io/ingress.class" in annotations:
        return
    classes = [one.obj for one in store.shelf(r.INGRESSCLASSES.storage_key).sorted() if is_default_class(one.obj)]
    if classes:  # `max` takes the first by name of those that are equally new
        newest = max(classes, key=lambda one: one["metadata"]["creationTimestamp"])
        ingress["spec"]["ingressClassName"] = newest["metadata"]["name"]


def is_default_class(ingress_class: Object) -> bool:
    """Whether an IngressClass is marked as the default."""
    annotations = ingress_class["metadata"].get("annotations") or {}
    return annotations.get("ingressclass.kubernetes.io/is-default-class") == "true"


def _service_account(store: Store, pod: Object) -> None:
    spec, meta = pod["spec"], pod["metadata"]
    if "kubernetes.io/config.mirror" in (meta.get("annotations") or {}):
        return
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = store.get(r.SERVICEACCOUNTS.storage_key, (meta["namespace"], name))
    if account is None:
        why = f'error looking up service account {meta["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise forbidden(r.PODS, meta.get("name", ""), why)  # a name is not sure to be there yet
    mount = spec.get("automountServiceAccountToken")
    if mount is None:
        mount = account.obj.get("automountServiceAccountToken", True)
    if mount:
        _mount_token(pod)
    if account.obj.get("imagePullSecrets") and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = account.obj["imagePullSecrets"]


def _mount_token(pod: Object) -> None:
    spec = pod["spec"]
    name = next(
        (
            volume["name"]
            for volume in spec.get("volumes") or []
            if volume.get("name", "").startswith("kube-api-access-")
        ),
        None,
    )
    needed = False
    volume_name = name or f"kube-api-access-{random_suffix()}"
    for member in ("initContainers", "containers"):
        for container in spec.get(member) or []:
            mounts = container.setdefault("volumeMounts", [])
            if all(mount.get("mountPath") != TOKEN_DIRECTORY for mount in mounts):
                mounts.append({"name": volume_name, "readOnly": True, "mountPath": TOKEN_DIRECTORY})
                needed = True
    if needed and name is None:
        spec.setdefault("volumes", []).append(_token_volume(volume_name))


def _token_volume(name: str) -> Object:
    root_ca = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
                {"configMap": root_ca},
                {"downwardAPI": {"items": [namespace]}},
            ],
            "defaultMode": _FILE_MODE,
        },
    }
