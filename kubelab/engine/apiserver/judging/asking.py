"""``authorizer``: what an expression can ask about rights, such as
``authorizer.group("apps").resource("deployments").check("delete").allowed()``.

Source: https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-authorizer-library
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.access import Authorizer
from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.auth import AUTHENTICATED, User, account_groups
from kubelab.engine.apiserver.routing import Target

_STEPS = ("group", "resource", "subresource", "namespace", "name", "path")
FUNCTIONS = (*_STEPS, "serviceAccount", "check", "allowed", "reason", "errored", "error")
Question = dict[str, Any]
"""What is known so far of the deed that is asked about; an empty one is the authorizer itself."""


def authorizer_of(target: Target, name: str) -> Question:
    """The value of ``authorizer`` in a request for the target."""
    rtype = target.rtype
    about = {"group": rtype.group, "resource": rtype.plural, "subresource": target.subresource}
    return {"requestResource": {**about, "namespace": target.namespace, "name": name}}


def functions_of(authorizer: Authorizer, user: User) -> dict[str, Callable[..., Any]]:
    """The functions by which the user's rights are asked for."""

    def step(member: str) -> Callable[[Question, str], Question]:
        return lambda question, value: {**question, member: value}

    def check(question: Question, verb: str) -> Question:
        who = question.get("account")
        asks = User(who, (*account_groups(who), AUTHENTICATED)) if who else user
        about = {name: question.get(name, "") for name in ("group", "resource", "subresource", "namespace", "name")}
        wish = Attributes(asks, verb, **about, path=question.get("path"))
        return {"allowed": authorizer.allows(wish), "reason": authorizer.reason(wish)}

    return {
        **{name: step(name) for name in _STEPS},
        "serviceAccount": lambda question, namespace, name: {
            **question, "account": f"system:serviceaccount:{namespace}:{name}"
        },
        "check": check,
        "allowed": lambda decision: decision["allowed"],
        "reason": lambda decision: decision["reason"],
        "errored": lambda _: False,
        "error": lambda _: "",
    }  # fmt: skip
