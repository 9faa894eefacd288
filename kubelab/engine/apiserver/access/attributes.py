"""What a request wants to do, in the words in which rights are granted: verb, API group, resource, name, namespace.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#review-your-request-attributes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from kubelab.engine.apiserver.auth import User
from kubelab.engine.apiserver.call import is_set
from kubelab.engine.apiserver.routing import Target
from kubelab.engine.apiserver.selectors import exact_fields
from kubelab.engine.client.transport import ApiRequest

_COLLECTION_VERBS = {"GET": "list", "HEAD": "list", "POST": "create", "DELETE": "deletecollection"}
_OBJECT_VERBS = {"GET": "get", "HEAD": "get"}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_IN_NAMESPACE = frozenset({"status", "finalize"})
"""What stands below a namespace itself, not in it."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """One deed. With ``path`` it is about a URL that is no resource; else about ``resource`` (and what is below it)."""

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    """What the field selector of a list or watch demands: nodes may see the pods that are bound to them."""

    @property
    def whole_resource(self) -> str:
        """``pods`` or ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def verb_of(method: str, *, named: bool, watch: bool) -> str:
    """The verb of a request for a resource: ``named`` when its path ends in an object."""
    verbs = _OBJECT_VERBS if named else _COLLECTION_VERBS
    verb = verbs.get(method) or _VERBS.get(method, "")
    return "watch" if watch and verb in ("get", "list") else verb


def attributes_of(user: User, request: ApiRequest, target: Target | None) -> Attributes:
    """What the request wants. A path that leads to nothing is judged too: nobody learns what there is by asking."""
    if target is None:
        return _of_path(user, request)
    query = dict(reversed(request.query))  # as the call will read it: the first counts
    named, namespace = bool(target.name), target.namespace
    watches = not target.subresource and is_set(query, "watch")
    verb = verb_of(request.method, named=named, watch=watches)
    name, fields = target.name, {}
    if verb in ("list", "watch"):
        fields = exact_fields(query.get("fieldSelector", ""))
        name = name or fields.get("metadata.name", "")
    if target.rtype.plural == "namespaces" and not target.rtype.group:
        namespace = target.name  # a namespace is within itself: its users can be allowed to look at it
    return Attributes(
        user, verb, target.rtype.group, target.rtype.plural, target.subresource, namespace, name, None, fields
    )


def attributes_to_create(user: User, target: Target) -> Attributes:
    """What somebody needs besides, whose request creates though its verb does not say so."""
    rtype = target.rtype
    return Attributes(user, "create", rtype.group, rtype.plural, target.subresource, target.namespace, target.name)


def _of_path(user: User, request: ApiRequest) -> Attributes:
    path = unquote(request.path)
    parts = [part for part in path.split("/") if part]
    grouped = parts[:1] == ["apis"]
    if parts[:1] not in (["api"], ["apis"]) or len(parts) < (4 if grouped else 3):
        return Attributes(user, request.method.lower(), path=path)
    group, rest = (parts[1], parts[3:]) if grouped else ("", parts[2:])
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _IN_NAMESPACE:
            rest = rest[2:]
    resource, name, subresource = [*rest, "", ""][:3]
    return Attributes(
        user, verb_of(request.method, named=bool(name), watch=False), group, resource, subresource, namespace, name
    )
