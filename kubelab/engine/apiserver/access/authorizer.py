"""May they? The cluster's owner always, then the node authorizer, then roles: as kubeadm orders them (Node, RBAC)."""

from __future__ import annotations

import logging

from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.access.nodes import NodeAuthorizer
from kubelab.engine.apiserver.access.rbac import Rbac
from kubelab.engine.apiserver.access.rules import Rule
from kubelab.engine.apiserver.auth import MASTERS, User
from kubelab.engine.apiserver.status import StatusError
from kubelab.engine.apiserver.storage import Store
from kubelab.engine.apiserver.validation.fields import quoted

log = logging.getLogger(__name__)


class Authorizer:
    """Decides over every request. One for a server."""

    def __init__(self, store: Store) -> None:
        self.rbac = Rbac(store)
        self.nodes = NodeAuthorizer(store)

    def allows(self, wish: Attributes) -> bool:
        """Whether the user may."""
        user = wish.user
        if MASTERS in user.groups:
            return True
        if user.node and self.nodes.refusal(user.node, wish) is None:
            return True
        return self.rbac.allows(wish)

    def require(self, wish: Attributes) -> None:
        """Raises a 403 Status, unless the user may."""
        if self.allows(wish):
            return
        refused = forbidden_deed(wish, self.reason(wish))
        own = wish.user.name.startswith("system:") and wish.user.name != "system:anonymous"
        log.log(logging.INFO if own else logging.DEBUG, "403: %s", refused.message)
        raise refused

    def reason(self, wish: Attributes) -> str:
        """What a review says of the decision: by which binding it is allowed, or what stood in the way."""
        user = wish.user
        if MASTERS in user.groups:
            return ""
        of_node = self.nodes.refusal(user.node, wish) if user.node else ""
        if of_node is None:
            return ""
        return "\n".join(part for part in (of_node, self.rbac.why(wish)) if part)

    def rules_of(self, user: User, namespace: str) -> tuple[list[Rule], list[str]]:
        """All rules of the user's roles there, and which roles are missing."""
        return self.rbac.rules_of(user, namespace)


def forbidden_deed(wish: Attributes, reason: str = "") -> StatusError:
    """403, in upstream's words."""
    user = f"User {quoted(wish.user.name)}"
    if wish.path is not None:
        what = f"{user} cannot {wish.verb} path {quoted(wish.path)}"
        return StatusError(403, "Forbidden", f"forbidden: {what}{_because(reason)}", {})
    where = f"in the namespace {quoted(wish.namespace)}" if wish.namespace else "at the cluster scope"
    what = f"{user} cannot {wish.verb} resource {quoted(wish.whole_resource)} in API group {quoted(wish.group)} {where}"
    qualified = f"{wish.resource}.{wish.group}" if wish.group else wish.resource
    which = f"{qualified} {quoted(wish.name)}" if wish.name else qualified
    details = {"name": wish.name, "group": wish.group, "kind": wish.resource}
    message = f"{which} is forbidden: {what}{_because(reason)}"
    return StatusError(403, "Forbidden", message, {key: value for key, value in details.items() if value})


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
