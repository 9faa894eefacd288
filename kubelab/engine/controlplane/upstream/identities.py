"""By whose name the engine's parts ask the real control plane, and with which certificates.

The users and groups are upstream's, so its own roles hold for our parts: ``system:node:NAME`` in ``system:nodes``,
``system:kube-proxy``, and so on (https://kubernetes.io/docs/reference/access-authn-authz/rbac/).
"""

from __future__ import annotations

import csv
import io
from typing import Any

from kubelab.engine.access import ADMIN
from kubelab.engine.pki import PKI

_ACCOUNT = "system:serviceaccount:"


def groups_of(user: str) -> tuple[str, ...]:
    """The groups in a user's certificate."""
    if user == ADMIN:
        return ("system:masters",)
    if user.startswith("system:node:"):
        return ("system:nodes",)
    return ()


def is_account(user: str) -> bool:
    """Whether it is a ServiceAccount's name. Its owner asks in its name: such a name is too long for a certificate."""
    return user.startswith(_ACCOUNT)


def tokens(token: str) -> str:
    """The owner's token, as kube-apiserver's ``--token-auth-file`` wants it: token, user, uid, groups."""
    text = io.StringIO()
    csv.writer(text).writerow([token, ADMIN, ADMIN, ",".join(groups_of(ADMIN))])
    return text.getvalue()


def kubeconfig(pki: PKI, server: str, user: str) -> dict[str, Any]:
    """For a program of the control plane."""
    cert, key = pki.user(user, groups_of(user))
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": {"server": server, "certificate-authority": str(pki.ca_cert)}}],
        "users": [{"name": user, "user": {"client-certificate": str(cert), "client-key": str(key)}}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": user}}],
        "current-context": "context",
    }
