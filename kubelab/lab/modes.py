"""kube-proxy's mode, from a lesson: what the nodes serve by, and switching all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from kubelab.clusters.base import ClusterError, ProxyMode
from kubelab.lab.errors import LabError, Lacking

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab


def current(lab: Lab) -> ProxyMode:
    """What every node's kube-proxy says on ``127.0.0.1:10249/proxyMode``. Raises `LabError`."""
    try:
        return lab.cluster.proxy_mode
    except ClusterError as error:
        raise LabError(str(error)) from error


def switch(lab: Lab, mode: ProxyMode) -> None:
    """Returns when all nodes serve by ``mode`` and nothing of the mode before is left. Raises `LabError`."""
    if mode not in get_args(ProxyMode):
        raise LabError(f"{mode!r} is no mode of kube-proxy; there are {', '.join(get_args(ProxyMode))}.")
    if "switch proxy mode" not in lab.cluster.capabilities:
        raise Lacking(
            "The mode of this cluster's kube-proxy cannot be switched from here; `kubelab up` has one that can."
        )
    try:
        lab.cluster.set_proxy_mode(mode)
    except ClusterError as error:
        raise LabError(str(error)) from error
