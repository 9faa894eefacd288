"""ClusterRoles that are made of others: their rules follow the roles that their selectors pick.

Upstream has a controller for this. Here the server does it, at the end of the request that changed a role: who has
just labelled a role for ``view`` finds it in ``view`` with the next request, and no right is ever late.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access.rules import Rule
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.storage import Event, Store, Stored
from kubelab.engine.apiserver.validation.metadata import selector_matches

_MOST_ROUNDS = 10
"""Roles made of roles made of roles: deeper than anybody goes, and an end for those that go round in a circle."""


class Aggregation:
    """Follows the ClusterRoles; `settle` writes what has come of their changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shelf = store.shelf(r.CLUSTERROLES.storage_key)
        self._changed = True
        self._shelf.listeners.append(self._follow)

    def _follow(self, _event: Event) -> None:
        self._changed = True

    def settle(self) -> None:
        """Bring every aggregated role up to date."""
        for _ in range(_MOST_ROUNDS):
            if not self._changed:
                return
            self._changed = False
            for stored in self._shelf.sorted():
                if stored.obj.get("aggregationRule") and not stored.obj["metadata"].get("deletionTimestamp"):
                    self._gather(stored)

    def _gather(self, stored: Stored) -> None:
        rules: list[Rule] = []
        for selector in stored.obj["aggregationRule"].get("clusterRoleSelectors") or ():
            for other in self._shelf.sorted():
                if other.key != stored.key and selector_matches(selector, other.obj["metadata"].get("labels") or {}):
                    rules += (rule for rule in other.obj.get("rules") or () if rule not in rules)
        if rules != (stored.obj.get("rules") or []):
            new: Object = {**stored.obj, "metadata": dict(stored.obj["metadata"]), "rules": rules}
            self._store.put(self._shelf.name, stored.key, new, new["kind"], new["apiVersion"])
