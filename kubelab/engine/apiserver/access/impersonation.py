"""Requests in somebody else's name: ``kubectl --as``.

Source: https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.access.authorizer import Authorizer
from kubelab.engine.apiserver.auth import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, User, account_groups
from kubelab.engine.apiserver.status import internal

PREFIX = "impersonate-"
SEPARATOR = "\n"
"""Between the values of one header that came several times."""
_USER, _GROUP, _UID, _EXTRA = "impersonate-user", "impersonate-group", "impersonate-uid", "impersonate-extra-"
_AUTHENTICATION = "authentication.k8s.io"


def impersonated(user: User, headers: Mapping[str, str], authorizer: Authorizer) -> User:
    """In whose name the request is to be judged: the user's own, unless headers say otherwise. Raises a Status."""
    if not any(name.startswith(PREFIX) for name in headers):
        return user
    name, groups, uid = headers.get(_USER, "").partition(SEPARATOR)[0], _values(headers, _GROUP), headers.get(_UID, "")
    extra = {unquote(each.removeprefix(_EXTRA)): _values(headers, each) for each in headers if each.startswith(_EXTRA)}
    if not name:
        if not (groups or uid or extra):
            return user
        raise internal(f"requested {sorted((*groups, *extra))} without impersonating a user")
    for wish in _wishes(user, name, groups, uid, extra):
        authorizer.require(wish)
    return User(name, _with_authenticated(name, groups or list(account_groups(name))), uid, extra)


def _values(headers: Mapping[str, str], name: str) -> list[str]:
    return [value for value in headers.get(name, "").split(SEPARATOR) if value]


def _wishes(user: User, name: str, groups: list[str], uid: str, extra: Mapping[str, list[str]]) -> Iterator[Attributes]:
    if account_groups(name):
        _, _, namespace, account = name.split(":")
        yield Attributes(user, "impersonate", "", "serviceaccounts", "", namespace, account)
    else:
        yield Attributes(user, "impersonate", "", "users", name=name)
    for group in groups:
        yield Attributes(user, "impersonate", "", "groups", name=group)
    if uid:
        yield Attributes(user, "impersonate", _AUTHENTICATION, "uids", name=uid)
    for key, values in extra.items():
        for value in values:
            yield Attributes(user, "impersonate", _AUTHENTICATION, "userextras", key, name=value)


def _with_authenticated(name: str, groups: list[str]) -> tuple[str, ...]:
    if AUTHENTICATED in groups or UNAUTHENTICATED in groups:
        return tuple(groups)
    return (*groups, UNAUTHENTICATED if name == ANONYMOUS.name else AUTHENTICATED)
