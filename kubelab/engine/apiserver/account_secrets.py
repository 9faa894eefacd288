"""Secrets of type ``kubernetes.io/service-account-token`` that somebody makes by hand: they get a token that lasts.

Upstream has a controller for this, which holds the key that signs; here only the server has the key.
Source: https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets
"""

from __future__ import annotations

import base64

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.encoding import Object, copy
from kubelab.engine.apiserver.storage import Event, Key, Store, Stored
from kubelab.engine.apiserver.tokens import TokenSigner

TYPE = "kubernetes.io/service-account-token"
NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


class AccountSecrets:
    """Follows Secrets and service accounts; `settle` fills the Secrets, or takes those away whose account is gone."""

    def __init__(self, store: Store, signer: TokenSigner, ca_pem: bytes) -> None:
        self._store = store
        self._signer = signer
        self._ca_pem = ca_pem
        self._secrets = store.shelf(r.SECRETS.storage_key)
        self._accounts = store.shelf(r.SERVICEACCOUNTS.storage_key)
        self._due: set[Key] = {key for key, stored in self._secrets.objects.items() if _is_token(stored)}
        self._secrets.listeners.append(self._secret_changed)
        self._accounts.listeners.append(self._account_changed)

    def _secret_changed(self, event: Event) -> None:
        if event.type != "DELETED" and _is_token(event.new):
            self._due.add(event.new.key)

    def _account_changed(self, event: Event) -> None:
        if event.type == "DELETED":
            own = (one for one in self._secrets.objects.values() if one.key[0] == event.new.key[0])
            self._due.update(one.key for one in own if _is_token(one) and _account(one) == event.new.key[1])

    def settle(self) -> None:
        """Do what is due."""
        while self._due:
            stored = self._secrets.objects.get(self._due.pop())
            if stored is not None:
                self._settle(stored)

    def _settle(self, stored: Stored) -> None:
        namespace, name = stored.key
        account = self._accounts.objects.get((namespace, _account(stored)))
        uid = account.obj["metadata"]["uid"] if account else ""
        annotations = stored.obj["metadata"].get("annotations") or {}
        new = copy(stored.obj)
        if account is None or annotations.get(UID, uid) != uid:
            self._store.remove(self._secrets.name, stored.key, new, new["kind"], new["apiVersion"])
            return
        data: Object = dict(new.get("data") or {})
        if "token" not in data:
            data["token"] = _b64(self._signer.sign_for_secret(namespace, account.key[1], uid, name).encode())
        data["ca.crt"], data["namespace"] = _b64(self._ca_pem), _b64(namespace.encode())
        new["data"] = data
        new["metadata"]["annotations"] = {**annotations, UID: uid}
        if new != stored.obj:
            self._store.put(self._secrets.name, stored.key, new, new["kind"], new["apiVersion"])


def holds_token(secret: Object, token: str) -> bool:
    """Whether this is the token that the Secret keeps."""
    return (secret.get("data") or {}).get("token") == _b64(token.encode())


def _is_token(stored: Stored) -> bool:
    return stored.obj.get("type") == TYPE


def _account(stored: Stored) -> str:
    return (stored.obj["metadata"].get("annotations") or {}).get(NAME, "")


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
