"""Questions that are answered and not stored: who am I, may I, may they, whose token is this.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access import Attributes, Authorizer
from kubelab.engine.apiserver.auth import Authenticator, User
from kubelab.engine.apiserver.bodies import read_object
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import wanted
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.reads import respond
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.selectors import exact_fields
from kubelab.engine.apiserver.status import StatusError, bad_request, invalid
from kubelab.engine.apiserver.validation.fields import FieldError, required
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field
from kubelab.engine.client.transport import ApiResponse

_KEYS_OF_RULES = ("verbs", "apiGroups", "resources", "resourceNames")


class Reviews:
    """Answers by what the authenticator and the authorizer would say of a request."""

    def __init__(self, authenticator: Authenticator, authorizer: Authorizer) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._answers: dict[ResourceType, Callable[[Call, Object], Object]] = {
            r.SELF_SUBJECT_REVIEWS: lambda call, _: {"userInfo": call.user.info()},
            r.SELF_SUBJECT_ACCESS_REVIEWS: lambda call, review: self._access(call, review, call.user),
            r.SUBJECT_ACCESS_REVIEWS: self._other_access,
            r.LOCAL_SUBJECT_ACCESS_REVIEWS: self._other_access,
            r.SELF_SUBJECT_RULES_REVIEWS: self._rules,
            r.TOKEN_REVIEWS: self._token,
        }

    def answer(self, call: Call) -> ApiResponse:
        """The review with its status."""
        review = read_object(call, call.target.rtype)
        review["metadata"]["creationTimestamp"] = call.timestamp
        review["status"] = self._answers[call.target.rtype](call, review)
        return respond(201, dumps(review), wanted(call.request.headers))

    # -- may they --------------------------------------------------------------------------------

    def _other_access(self, call: Call, review: Object) -> Object:
        spec = review.get("spec") or {}
        user, groups = spec.get("user", ""), spec.get("groups") or []
        if not user and not groups:
            raise _refused(call, [invalid_field("spec.user", "", "at least one of user or group must be specified")])
        return self._access(call, review, User(user, tuple(groups), spec.get("uid", ""), spec.get("extra") or {}))

    def _access(self, call: Call, review: Object, user: User) -> Object:
        spec = review.get("spec") or {}
        resource: Object | None = spec.get("resourceAttributes")
        url: Object | None = spec.get("nonResourceAttributes")
        if (resource is None) == (url is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise _refused(call, [invalid_field("spec.resourceAttributes", resource, why)])
        if call.target.rtype is r.LOCAL_SUBJECT_ACCESS_REVIEWS:
            _check_local(call, resource)
        wish = _wish(user, resource, url)
        status: Object = {"allowed": self._authorizer.allows(wish)}
        if reason := self._authorizer.reason(wish):
            status["reason"] = reason
        return status

    def _rules(self, call: Call, review: Object) -> Object:
        namespace = (review.get("spec") or {}).get("namespace", "")
        if not namespace:
            raise bad_request("no namespace on request")
        rules, missing = self._authorizer.rules_of(call.user, namespace)
        on_resources = [{key: rule[key] for key in _KEYS_OF_RULES if rule.get(key)} for rule in rules
                        if rule.get("resources")]  # fmt: skip
        on_urls = [{"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]} for rule in rules
                   if rule.get("nonResourceURLs")]  # fmt: skip
        status: Object = {"resourceRules": on_resources, "nonResourceRules": on_urls, "incomplete": bool(missing)}
        if missing:
            status["evaluationError"] = ", ".join(missing)
        return status

    # -- whose token is this ---------------------------------------------------------------------

    def _token(self, call: Call, review: Object) -> Object:
        spec = review.get("spec") or {}
        token, audiences = spec.get("token", ""), spec.get("audiences") or []
        if not token:
            raise bad_request("token is required for TokenReview in authentication")
        found = self._authenticator.token_user(token, call.now, audiences)
        if found is None:
            return {"user": {}, "error": "[invalid bearer token]"}
        user, meant_for = found
        return {"authenticated": True, "user": user.info(), "audiences": meant_for}


def _refused(call: Call, errors: list[FieldError]) -> StatusError:
    return invalid(call.target.rtype.kind, call.target.rtype.group, "", errors)


def _check_local(call: Call, resource: Any) -> None:
    if resource is None:
        raise _refused(call, [required("spec.resourceAttributes", "a review in a namespace is about its resources")])
    namespace = resource.get("namespace", "")
    if namespace != call.target.namespace:
        why = f"must match metadata.namespace: {call.target.namespace}"
        raise _refused(call, [invalid_field("spec.resourceAttributes.namespace", namespace, why)])


def _wish(user: User, resource: Object | None, url: Object | None) -> Attributes:
    """A question's attributes; a field selector counts as far as it is written as in a request."""
    if resource is None:
        url = url or {}
        return Attributes(user, url.get("verb", ""), path=url.get("path", ""))
    asked = resource
    raw = (asked.get("fieldSelector") or {}).get("rawSelector", "")
    terms = (asked.get("fieldSelector") or {}).get("requirements") or []
    exact = (one for one in terms if one.get("operator") == "In" and len(one.get("values") or ()) == 1)
    fields = exact_fields(raw) if raw else {one["key"]: one["values"][0] for one in exact}
    return Attributes(
        user,
        asked.get("verb", ""),
        asked.get("group", ""),
        asked.get("resource", ""),
        asked.get("subresource", ""),
        asked.get("namespace", ""),
        asked.get("name", ""),
        None,
        fields,
    )
