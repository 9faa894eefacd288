"""As which program an identity shows itself (``User-Agent``): managedFields and logs name it, as they do upstream."""

from __future__ import annotations

_PROGRAMS = {
    "system:kube-scheduler": "kube-scheduler",
    "system:kube-proxy": "kube-proxy",
    "system:cloud-controller-manager": "cloud-controller-manager",
    "system:kube-controller-manager": "kube-controller-manager",
}


def program_of(user: str) -> str:
    """``kubelet`` for ``system:node:worker``; controllers all run in one program."""
    if user.startswith("system:node:"):
        return "kubelet"
    if user.startswith("system:serviceaccount:kube-system:"):
        return "kube-controller-manager"
    return _PROGRAMS.get(user, user.removeprefix("system:"))
