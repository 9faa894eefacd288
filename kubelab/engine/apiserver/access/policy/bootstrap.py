"""Every start sees to it that the roles and bindings of the system are there and lack nothing.

As upstream: what is missing is made, rules and subjects that are missing are added, and what a user added stays. Who
sets the annotation ``rbac.authorization.kubernetes.io/autoupdate`` to false keeps theirs as it is.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#auto-reconciliation
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access.policy.controllers import CONTROLLERS
from kubelab.engine.apiserver.access.policy.language import rules
from kubelab.engine.apiserver.access.policy.roles import AGGREGATED, BINDINGS, GATHERED_INTO, ROLES
from kubelab.engine.apiserver.access.rules import uncovered
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.storage import Store
from kubelab.engine.apiserver.validation.rbac import GROUP

BOOTSTRAP = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
_GATHER = f"{GROUP}/aggregate-to-"
_CONTROLLER = "system:controller:"


def objects() -> Iterator[tuple[ResourceType, Object]]:
    """The policy as objects."""
    for name, text in ROLES.items():
        labels = {_GATHER + GATHERED_INTO[name]: "true"} if name in GATHERED_INTO else {}
        yield r.CLUSTERROLES, {"metadata": _meta(name, labels), "rules": rules(text)}
    for name, into in AGGREGATED.items():
        selector = {"matchLabels": {_GATHER + name: "true"}}
        yield (
            r.CLUSTERROLES,
            {
                "metadata": _meta(name, {_GATHER + one: "true" for one in into}),
                "aggregationRule": {"clusterRoleSelectors": [selector]},
                "rules": [],
            },
        )
    for name, text in CONTROLLERS.items():
        yield r.CLUSTERROLES, {"metadata": _meta(_CONTROLLER + name), "rules": rules(text)}
    bindings = {**BINDINGS, **{_CONTROLLER + name: (f"ServiceAccount kube-system:{name}",) for name in CONTROLLERS}}
    for name, subjects in bindings.items():
        role = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        made: Object = {"metadata": _meta(name), "roleRef": role}
        if subjects:
            made["subjects"] = [_subject(*one.split(" ", 1)) for one in subjects]
        yield r.CLUSTERROLEBINDINGS, made


def _meta(name: str, labels: dict[str, str] | None = None) -> Object:
    return {"name": name, "labels": {**BOOTSTRAP, **(labels or {})}, "annotations": {AUTOUPDATE: "true"}}


def _subject(kind: str, name: str) -> Object:
    if kind != "ServiceAccount":
        return {"apiGroup": GROUP, "kind": kind, "name": name}
    namespace, _, account = name.partition(":")
    return {"kind": kind, "name": account, "namespace": namespace}


def reconcile(store: Store, timestamp: str) -> None:
    """Make what is missing of the policy, and add what its objects lack: past the registry, as they are known good."""
    for rtype, wish in objects():
        stored = store.get(rtype.storage_key, ("", wish["metadata"]["name"]))
        typed = {"kind": rtype.kind, "apiVersion": rtype.api_version}
        if stored is None:
            meta = {**wish["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": timestamp}
            new = {**typed, **wish, "metadata": meta}
        elif (new := _mended(stored.obj, wish)) == stored.obj:
            continue
        store.put(rtype.storage_key, ("", wish["metadata"]["name"]), new, rtype.kind, rtype.api_version)


def _mended(known: Object, wish: Object) -> Object:
    annotations = known["metadata"].get("annotations") or {}
    if annotations.get(AUTOUPDATE) == "false":
        return known
    new = copy(known)
    for member in ("labels", "annotations"):
        new["metadata"][member] = {**wish["metadata"][member], **(new["metadata"].get(member) or {})}
    if "aggregationRule" in wish:
        new.setdefault("aggregationRule", wish["aggregationRule"])
    elif "rules" in wish:
        _append(new, "rules", uncovered(known.get("rules") or [], wish["rules"]))
    else:
        if known["roleRef"] != wish["roleRef"]:  # it cannot be changed: the binding is made anew
            new.update(roleRef=wish["roleRef"], subjects=[])
        _append(new, "subjects", (one for one in wish.get("subjects") or () if one not in (new.get("subjects") or ())))
    return new


def _append(obj: Object, member: str, more: Iterable[Object]) -> None:
    if added := list(more):
        obj[member] = [*(obj.get(member) or []), *added]
