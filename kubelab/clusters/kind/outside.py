"""The container outside a kind cluster: made, found, and given what it needs to know of the API."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from typing import Any

from kubelab.clusters.kind.access import Access
from kubelab.clusters.kind.containers import Engine
from kubelab.engine import addons
from kubelab.engine.client import Client
from kubelab.engine.config import API_PORT
from kubelab.engine.ingress.manifests import IMAGE

LABEL = "dev.kubelab.outside"
NETWORK = "kind"
START_SECONDS = 60.0
API_SECONDS = 30.0
TOKEN_SECONDS = 365 * 24 * 3600
NAMESPACE, ACCOUNT = "kube-system", "kubelab-load-balancer"
_RBAC = "rbac.authorization.k8s.io"


def container_of(name: str) -> str:
    """The container's name."""
    return f"{name}-outside"


def is_running(engine: Engine, name: str) -> bool:
    """Whether it is there and runs."""
    return any(each.running for each in engine.containers(**{LABEL: name}))


def start(engine: Engine, name: str, access: Access) -> None:
    """Start it anew. Raises `ClusterError`."""
    token = access.ask(_token, timeout_seconds=API_SECONDS, doing="Giving the load balancer its rights")
    _, authority = access.credentials()
    told = {
        "KUBELAB_SERVER": f"https://{name}-control-plane:{API_PORT}",
        "KUBELAB_CA": base64.b64encode(authority).decode(),
        "KUBELAB_TOKEN": token,
    }
    networks = json.loads(engine.inspect(f"{name}-control-plane", "{{json .NetworkSettings.Networks}}") or "{}")
    # nerdctl does not know the name (unknown-eth0); its network is always kind's usual one.
    network = next((each for each in networks if not each.startswith("unknown-")), NETWORK)
    container = container_of(name)
    engine.remove(container)
    with tempfile.NamedTemporaryFile("w", prefix="kubelab-") as file:  # not on the command line, which all can read
        os.fchmod(file.fileno(), 0o600)
        file.write("".join(f"{key}={value}\n" for key, value in told.items()))
        file.flush()
        engine.must(
            *("run", "--detach", "--pull=never", "--name", container, "--hostname", "outside", "--network", network),
            *("--label", f"{LABEL}={name}", "--cap-add=NET_ADMIN", "--cap-add=NET_RAW", "--restart=unless-stopped"),
            *("--env-file", file.name, "--entrypoint=python3", IMAGE, "-m", "kubelab.clusters.kind.street"),
            doing="Starting the container outside the cluster",
            timeout_seconds=START_SECONDS,
        )


async def _token(client: Client) -> str:
    await addons.create_missing(client, rights())
    path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": TOKEN_SECONDS},
    }
    answer: dict[str, Any] = await client.send("POST", path, body=request)
    return str(answer["status"]["token"])


def rights() -> list[dict[str, Any]]:
    """What the load balancer may do: read nodes and Services, write Services' addresses, and say so in events."""
    rules = [
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["services/status"], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["get", "create", "patch"]},
    ]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": ACCOUNT},
            "rules": rules,
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        },
    ]
