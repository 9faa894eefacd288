"""Somebody else's cluster, for want of one: an embedded engine, of which one account may use one namespace."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import ApiError

ACCOUNT = "learner"
TOKEN_SECONDS = 24 * 3600
RULES = [
    {"apiGroups": [""], "resources": ["pods", "services", "configmaps", "secrets"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["pods/exec", "pods/log"], "verbs": ["*"]},
    {"apiGroups": [""], "resources": ["events", "endpoints", "serviceaccounts"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
    {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": ["*"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["*"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses", "networkpolicies"], "verbs": ["*"]},
    {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["*"], "verbs": ["*"]},
]
"""What an administrator gives to somebody who may use one namespace: nothing of the cluster's own."""


def share(admin: Path, namespace: str, file: Path) -> bool:
    """Make the namespace and its account, and write the account's kubeconfig; whether its rights are limited."""
    api = KubeconfigApi(admin)
    _make(api, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    inside = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    _make(api, inside, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}})
    limited = _limit(api, namespace)
    asked = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    token = api.request("POST", f"{inside}/{ACCOUNT}/token", body=asked)["status"]["token"]
    config: dict[str, Any] = yaml.safe_load(admin.read_text())
    cluster = config["clusters"][0]["cluster"]
    if path := cluster.pop("certificate-authority", ""):
        cluster["certificate-authority-data"] = base64.b64encode(Path(path).read_bytes()).decode()
    context = {"cluster": "shared", "user": ACCOUNT, "namespace": namespace}
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "shared", "cluster": cluster}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": "classroom", "context": context}],
        "current-context": "classroom",
    }
    file.write_text(yaml.safe_dump(whole))
    file.chmod(0o600)
    return limited


def _limit(api: KubeconfigApi, namespace: str) -> bool:
    root = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": ACCOUNT}}
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    try:
        _make(api, f"{root}/roles", {**head, "kind": "Role", "rules": RULES})
        _make(api, f"{root}/rolebindings", {**head, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]})
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


def _make(api: KubeconfigApi, collection: str, body: dict[str, Any]) -> None:
    try:
        api.request("POST", collection, body=body)
    except ApiError as error:
        if error.status != 409:
            raise
