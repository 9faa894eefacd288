"""Who sends requests to where Ingress traffic enters, when nobody says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubelab.clusters.base import Node
    from kubelab.lab.lab import Lab
    from kubelab.lab.pods import Pod

OUTSIDE = "outside"


def standing_outside(lab: Lab, source: str | Pod | None, address: str) -> Node | None:
    """The client that stands outside of the cluster; None when a pod sends: `in_pod`."""
    return lab.cluster.client_for(address) if source == OUTSIDE else None


def in_pod(lab: Lab, source: str | Pod | None) -> str:
    """The real name of the pod that sends: the lab's own client where nobody outside reaches the ingress."""
    return lab.client_name(None if source == OUTSIDE else source)
