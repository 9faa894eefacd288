"""Questions that are answered and not stored: who am I, may I, whose token is this."""

from __future__ import annotations

from collections.abc import Callable

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.auth import Authenticator
from kubelab.engine.apiserver.bodies import read_object
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import wanted
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.reads import respond
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.client.transport import ApiResponse

_EVERYTHING = {
    "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    "incomplete": False,
}


class Reviews:
    """Every identity may do everything for now; the reviews say so."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._answers: dict[ResourceType, Callable[[Call, Object], Object]] = {
            r.SELF_SUBJECT_REVIEWS: lambda call, _: {"userInfo": call.user.info()},
            r.SELF_SUBJECT_ACCESS_REVIEWS: lambda call, _: {"allowed": True},
            r.SUBJECT_ACCESS_REVIEWS: lambda call, _: {"allowed": True},
            r.SELF_SUBJECT_RULES_REVIEWS: lambda call, _: _EVERYTHING,
            r.TOKEN_REVIEWS: self._token,
        }

    def answer(self, call: Call) -> ApiResponse:
        """The review with its status."""
        review = read_object(call, call.target.rtype)
        review["metadata"]["creationTimestamp"] = call.timestamp
        review["status"] = self._answers[call.target.rtype](call, review)
        return respond(201, dumps(review), wanted(call.request.headers))

    def _token(self, call: Call, review: Object) -> Object:
        user = self._authenticator.token_user((review.get("spec") or {}).get("token", ""), call.now)
        if user is None:
            return {"user": {}, "error": "[invalid bearer token]"}
        return {"authenticated": True, "user": user.info()}
