"""A learner's way in: a token that ends with the workshop, in a kubeconfig that only its owner can read."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from kubelab.workshop.access import Access, Address
from kubelab.workshop.objects import ACCOUNT

SHORTEST_SECONDS = 600
"""What TokenRequest allows at least."""
SPARE_SECONDS = 15 * 60
"""A token with less time left is not good any more."""


@dataclass(frozen=True)
class Token:
    """A ServiceAccount's token."""

    text: str
    expires: datetime


def issued(access: Access, namespace: str, seconds: int) -> Token:
    """A new token (TokenRequest, https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/).

    The server may give it a shorter life than was asked for: ``expires`` is what it says. Raises `ApiError`.
    """
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
             "spec": {"expirationSeconds": seconds}}  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{ACCOUNT}/token"
    status = access.request("POST", path, body=asked)["status"]
    return Token(status["token"], datetime.fromisoformat(status["expirationTimestamp"]))


def kept(kubeconfig: str, namespace: str, account_uid: str, now: datetime) -> Token | None:
    """The token in a kubeconfig, if it is of this very ServiceAccount and good for a while; its signature is not ours
    to judge, and need not be: nobody but the owner writes the file."""
    try:
        text = yaml.safe_load(kubeconfig)["users"][0]["user"]["token"]
        claims = _claims(text)
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        same = claims["sub"] == f"system:serviceaccount:{namespace}:{ACCOUNT}"
        same = same and claims["kubernetes.io"]["serviceaccount"]["uid"] == account_uid
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None
    good = same and (expires - now).total_seconds() > SPARE_SECONDS
    return Token(text, expires) if good else None


def kubeconfig(address: Address, workshop: str, namespace: str, label: str, token: str) -> str:
    """A kubeconfig whose one context is the learner's namespace."""
    cluster: dict[str, Any] = {"server": address.server}
    if address.authority:
        cluster["certificate-authority-data"] = base64.b64encode(address.authority.encode()).decode()
    if address.server_name:
        cluster["tls-server-name"] = address.server_name
    if not address.verified:
        cluster["insecure-skip-tls-verify"] = True
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": workshop, "cluster": cluster}],
        "users": [{"name": label, "user": {"token": token}}],
        "contexts": [{"name": namespace, "context": {"cluster": workshop, "user": label, "namespace": namespace}}],
        "current-context": namespace,
    }
    return yaml.safe_dump(whole, sort_keys=False)


def _claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims
