"""Who is asking: client certificates, bearer tokens, components of this process.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kubelab.engine.apiserver.tokens import Claims, TokenSigner, account_of

IN_PROCESS_HEADER = "kubelab-in-process-user"
CERTIFICATE_HEADER = "kubelab-certificate-subject"
"""Set by the listening side alone, from what TLS has checked; whoever sends it has it taken away."""

ADMIN = "kubernetes-admin"
MASTERS = "system:masters"
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
NODES = "system:nodes"
_NODE, _ACCOUNT = "system:node:", "system:serviceaccount:"
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class User:
    """An identity."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        """The ``userInfo`` of a review."""
        info: dict[str, Any] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = dict(self.extra)
        return info

    @property
    def node(self) -> str:
        """The node whose agent this is, or nothing."""
        return self.name.removeprefix(_NODE) if self.name.startswith(_NODE) and NODES in self.groups else ""


ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def account_groups(name: str) -> tuple[str, ...]:
    """The groups of a service account's user name (``system:serviceaccount:NAMESPACE:NAME``); none of another's."""
    namespace, colon, account = name.removeprefix(_ACCOUNT).partition(":")
    if not name.startswith(_ACCOUNT) or not (namespace and colon and account) or ":" in account:
        return ()
    return ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")


@lru_cache(maxsize=256)
def known_user(name: str) -> User:
    """The user of a name that this process vouches for: only the cluster's owner may do everything."""
    groups = (MASTERS,) if name == ADMIN else (NODES,) if name.startswith(_NODE) else account_groups(name)
    return User(name, (*groups, AUTHENTICATED))


def certificate_header(certificate: Mapping[str, Any]) -> str:
    """A client's certificate, as `ssl` tells of it, for `CERTIFICATE_HEADER`: CN is the user, every O a group."""
    parts = [pair for rdn in certificate.get("subject") or () for pair in rdn]
    names = [value for key, value in parts if key == "commonName"]
    if not names or not names[0]:
        return ""
    return json.dumps([names[0], *(value for key, value in parts if key == "organizationName")])


Bound = Callable[[Claims, str], bool]
"""Whether what a token's account claims name still exists; the token itself comes along."""


class Authenticator:
    """From headers to a user."""

    def __init__(self, tokens: Mapping[str, str], signer: TokenSigner, still_there: Bound) -> None:
        self._tokens = {token: known_user(name) for token, name in tokens.items()}
        self._signer = signer
        self._still_there = still_there
        self._accounts: dict[str, User] = {}

    def user(self, headers: Mapping[str, str], now: float) -> User | None:
        """The user; `ANONYMOUS` when nobody is named, None when a token does not hold."""
        inside = headers.get(IN_PROCESS_HEADER)
        if inside:
            return known_user(inside)
        shown = headers.get(CERTIFICATE_HEADER)
        if shown:
            name, *groups = json.loads(shown)
            return User(name, (*groups, AUTHENTICATED))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS if not scheme else None
        found = self.token_user(token.strip(), now)
        return found[0] if found else None

    def token_user(self, token: str, now: float, audiences: Sequence[str] = ()) -> tuple[User, list[str]] | None:
        """The user of a bearer token and for which of the audiences (default: the API's own) it holds; or None."""
        user = self._tokens.get(token)
        if user is not None:
            return user, [one for one in audiences if one == self._signer.issuer] or [self._signer.issuer]
        claims = self._signer.verify(token, now, audiences) if token.count(".") == 2 else None
        if claims is None or not self._still_there(account_of(claims), token):
            return None
        user = self._accounts.get(token)
        if user is None:
            if len(self._accounts) > _MOST_REMEMBERED:
                self._accounts.clear()
            user = self._accounts[token] = _account_user(claims)
        wanted = audiences or (self._signer.issuer,)
        return user, [one for one in claims.get("aud") or [self._signer.issuer] if one in wanted]


def _account_user(claims: Claims) -> User:
    account = account_of(claims)
    extra: dict[str, list[str]] = {}
    if "jti" in claims:
        extra["authentication.kubernetes.io/credential-id"] = [f"JTI={claims['jti']}"]
    for kind in ("pod", "node"):
        if kind in account:
            extra[f"authentication.kubernetes.io/{kind}-name"] = [account[kind]["name"]]
            extra[f"authentication.kubernetes.io/{kind}-uid"] = [account[kind]["uid"]]
    name = claims["sub"]
    return User(name, (*account_groups(name), AUTHENTICATED), account["serviceaccount"]["uid"], extra)
