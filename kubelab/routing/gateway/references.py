"""References into another namespace, which its owner has to grant (ReferenceGrant,
https://gateway-api.sigs.k8s.io/api-types/referencegrant/)."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.routing.objects import Object, namespace_of

GROUP = "gateway.networking.k8s.io"


class Grants:
    """Who may refer to what."""

    def __init__(self, grants: Iterable[Object]) -> None:
        self._given = {
            (each["kind"], each["namespace"], target["kind"], namespace_of(grant), target.get("name") or "")
            for grant in grants
            for each in grant["spec"]["from"]
            if each.get("group") == GROUP
            for target in grant["spec"]["to"]
            if not target.get("group")
        }

    def permit(self, kind: str, namespace: str, target_kind: str, target_namespace: str, target: str) -> bool:
        """Whether a Gateway API object of this kind and namespace may refer to a core object (Service, Secret)."""
        if namespace == target_namespace:
            return True
        return any((kind, namespace, target_kind, target_namespace, name) in self._given for name in ("", target))
