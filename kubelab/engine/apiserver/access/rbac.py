"""Who may do what by roles and bindings: an index over the stored objects, kept by their changes.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.access.rules import Grants, Rule, allows
from kubelab.engine.apiserver.auth import User
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.storage import Event, Key, Store, Stored
from kubelab.engine.apiserver.validation.fields import quoted

RoleRef = dict[str, str]

_MOST_REMEMBERED = 2000


class RoleMissing(Exception):
    """A binding leads to a role that is not there. The message is upstream's."""


class Rbac:
    """Answers from the store's roles and bindings."""

    def __init__(self, store: Store) -> None:
        self._roles = store.shelf(r.ROLES.storage_key)
        self._cluster_roles = store.shelf(r.CLUSTERROLES.storage_key)
        self._bindings: dict[tuple[str, str], dict[Key, Stored]] = {}
        """(namespace or "", subject) → its bindings."""
        self._grants: dict[tuple[str, tuple[str, ...], str], Grants] = {}
        for shelf in (store.shelf(r.ROLEBINDINGS.storage_key), store.shelf(r.CLUSTERROLEBINDINGS.storage_key)):
            for stored in shelf.sorted():
                self._learn(stored)
            shelf.listeners.append(self._binding_changed)
        for shelf in (self._roles, self._cluster_roles):
            shelf.listeners.append(lambda event: self._grants.clear())

    # -- the index -------------------------------------------------------------------------------

    def _binding_changed(self, event: Event) -> None:
        if event.old is not None:
            for subject in _subjects(event.old):
                self._bindings.get((event.old.key[0], subject), {}).pop(event.old.key, None)
        if event.type != "DELETED":
            self._learn(event.new)
        self._grants.clear()

    def _learn(self, stored: Stored) -> None:
        for subject in _subjects(stored):
            self._bindings.setdefault((stored.key[0], subject), {})[stored.key] = stored

    def _bindings_of(self, user: User, namespace: str) -> Iterator[Stored]:
        """Those of the cluster first, each once."""
        subjects = (f"User {user.name}", *(f"Group {group}" for group in user.groups))
        for place in ("", namespace) if namespace else ("",):
            found: dict[Key, Stored] = {}
            for subject in subjects:
                found.update(self._bindings.get((place, subject), {}))
            yield from (found[key] for key in sorted(found))

    def role_rules(self, reference: RoleRef, namespace: str) -> list[Rule]:
        """The rules of the role that a binding in the namespace leads to. Raises `RoleMissing`."""
        kind, name = reference.get("kind", ""), reference.get("name", "")
        stored = self._roles.objects.get((namespace, name)) if kind == "Role" else (
            self._cluster_roles.objects.get(("", name)))  # fmt: skip
        if stored is None:
            raise RoleMissing(f"{kind.lower()}.{r.ROLES.group} {quoted(name)} not found")
        return stored.obj.get("rules") or []

    # -- questions -------------------------------------------------------------------------------

    def allows(self, wish: Attributes) -> bool:
        """Whether a role of the user's lets the wish through."""
        key = (wish.user.name, wish.user.groups, wish.namespace)
        grants = self._grants.get(key)
        if grants is None:
            if len(self._grants) >= _MOST_REMEMBERED:
                self._grants.clear()
            grants = self._grants[key] = Grants(self.rules_of(wish.user, wish.namespace)[0])
        return grants.allow(wish)

    def rules_of(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules that hold for the user there, and which roles are missing."""
        rules: list[Rule] = []
        missing: list[str] = []
        for binding in self._bindings_of(user, namespace):
            try:
                rules += self.role_rules(binding.obj["roleRef"], binding.key[0])
            except RoleMissing as error:
                missing.append(str(error))
        return rules, missing

    def why(self, wish: Attributes) -> str:
        """The binding that lets the wish through; else which roles are missing, if any are."""
        missing: list[str] = []
        for binding in self._bindings_of(wish.user, wish.namespace):
            try:
                rules = self.role_rules(binding.obj["roleRef"], binding.key[0])
            except RoleMissing as error:
                missing.append(str(error))
                continue
            if any(allows(rule, wish) for rule in rules):
                return f"RBAC: allowed by {_described(binding, wish.user)}"
        if not missing:
            return ""
        return f"RBAC: {missing[0]}" if len(missing) == 1 else f"RBAC: [{', '.join(missing)}]"


def _subjects(binding: Stored) -> Iterator[str]:
    for subject in binding.obj.get("subjects") or ():
        yield _subject(subject, binding.key[0])


def _subject(subject: dict[str, Any], namespace: str) -> str:
    """A service account is the user that it goes by; one without a namespace is of the binding's."""
    kind, name = subject.get("kind", ""), subject.get("name", "")
    if kind == "ServiceAccount":
        return f"User system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
    return f"{kind} {name}"


def _described(binding: Stored, user: User) -> str:
    namespace, name = binding.key
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    where = f"{name}/{namespace}" if namespace else name
    role = binding.obj["roleRef"]
    own = {f"User {user.name}", *(f"Group {group}" for group in user.groups)}
    subject = next(one for one in binding.obj["subjects"] if _subject(one, namespace) in own)
    to = subject["name"]
    if subject["kind"] == "ServiceAccount":
        to = f"{to}/{subject.get('namespace') or namespace}"
    return f"{kind} {quoted(where)} of {role['kind']} {quoted(role['name'])} to {subject['kind']} {quoted(to)}"


ROLE_OF_BINDING: dict[ResourceType, str] = {r.ROLEBINDINGS: "Role", r.CLUSTERROLEBINDINGS: "ClusterRole"}
