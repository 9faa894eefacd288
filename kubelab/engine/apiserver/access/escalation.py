"""Nobody grants what they do not have: what is asked before a role, a binding or an object of a node is written.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

from collections.abc import Sequence

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.access.authorizer import Authorizer
from kubelab.engine.apiserver.access.rbac import ROLE_OF_BINDING, RoleMissing
from kubelab.engine.apiserver.access.rules import EVERYTHING, Rule, described, listed, uncovered
from kubelab.engine.apiserver.auth import MASTERS, User
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.status import StatusError, forbidden
from kubelab.engine.apiserver.validation.fields import quoted

_ROLES = {r.ROLES: "roles", r.CLUSTERROLES: "clusterroles"}
_ONLY_FOR_THE_COLLECTOR = ("ownerReferences", "finalizers", "resourceVersion", "managedFields")


class Guard:
    """Asked with every object that is about to be created (``old`` is None) or replaced."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, call: Call, new: Object, old: Object | None) -> None:
        """Raises a 403 Status when the user must not write this, and 404 for a binding to a role that is not there."""
        rtype, user = call.target.rtype, call.user
        if MASTERS in user.groups:
            return
        if old is None and user.node:
            self._own_node(call, new)
        if old is not None and _only_for_the_collector(new, old):
            return
        if rtype in _ROLES:
            self._role(call, new, old)
        elif rtype in ROLE_OF_BINDING:
            self._binding(call, new)

    def _own_node(self, call: Call, new: Object) -> None:
        problem = self._authorizer.nodes.only_own(call.user.node, call.target.rtype.plural, new)
        if problem:
            raise forbidden(call.target.rtype, new["metadata"].get("name", ""), problem)

    def _role(self, call: Call, new: Object, old: Object | None) -> None:
        rtype, namespace, name = call.target.rtype, call.target.namespace, new["metadata"].get("name", "")
        asked = call.target.name  # a new one's name is not in its URL
        escalate = Attributes(call.user, "escalate", rtype.group, _ROLES[rtype], "", namespace, asked)
        if self._authorizer.allows(escalate):
            return
        self._confirm(call, name, new.get("rules") or [])
        if new.get("aggregationRule") is not None or (old or {}).get("aggregationRule") is not None:
            held, _ = self._authorizer.rules_of(call.user, "")
            if uncovered(held, EVERYTHING):
                raise forbidden(rtype, name, "must have cluster-admin privileges to use the aggregationRule")

    def _binding(self, call: Call, new: Object) -> None:
        reference, namespace = new.get("roleRef") or {}, call.target.namespace
        plural = {"Role": "roles", "ClusterRole": "clusterroles"}.get(reference.get("kind", ""))
        if plural is None:
            return  # validation says what is wrong with it
        bind = Attributes(call.user, "bind", r.ROLES.group, plural, "", namespace, reference.get("name", ""))
        if self._authorizer.allows(bind):
            return
        try:
            rules = self._authorizer.rbac.role_rules(reference, namespace)
        except RoleMissing as error:
            details = {"name": reference.get("name", ""), "group": r.ROLES.group, "kind": plural}
            message = f"{plural}.{r.ROLES.group} {quoted(reference.get('name', ''))} not found"
            raise StatusError(404, "NotFound", message, details) from error
        self._confirm(call, new["metadata"].get("name", ""), rules)

    def _confirm(self, call: Call, name: str, wanted: Sequence[Rule]) -> None:
        held, missing = self._authorizer.rules_of(call.user, call.target.namespace)
        beyond = uncovered(held, wanted)
        if beyond:
            why = "\n".join((_attempt(call.user), *described(beyond)))
            if missing:
                why += f"; resolution errors: [{', '.join(missing)}]"
            raise forbidden(call.target.rtype, name, why)


def _attempt(user: User) -> str:
    groups = listed(user.groups)
    return f"user {quoted(user.name)} (groups={groups}) is attempting to grant RBAC permissions not currently held:"


def _only_for_the_collector(new: Object, old: Object) -> bool:
    """Whether nothing changes but what lets the object be collected: that grants nothing."""

    def rest(obj: Object) -> Object:
        meta = {key: value for key, value in obj["metadata"].items() if key not in _ONLY_FOR_THE_COLLECTOR}
        return {**obj, "metadata": meta}

    return rest(new) == rest(old)
