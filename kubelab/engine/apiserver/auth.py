"""Who is asking: static bearer tokens, service account tokens, components of this process."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

IN_PROCESS_HEADER = "kubelab-in-process-user"
_COORDINATE_BYTES = 32


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


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


Bound = Callable[[dict[str, Any]], bool]
"""Whether what a token's ``kubernetes.io`` claims name still exists."""


class TokenSigner:
    """Service account tokens: ES256 JSON Web Tokens (RFC 7519), bound to objects as upstream binds them."""

    def __init__(self, pem: bytes | None, issuer: str) -> None:
        self.issuer = issuer
        key = ec.generate_private_key(ec.SECP256R1()) if pem is None else serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("the service account key is not an EC key on P-256; make one with openssl ecparam")
        self._key = key
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = _b64(hashlib.sha256(public).digest())
        self._verified: dict[str, dict[str, Any]] = {}

    def sign(self, namespace: str, name: str, uid: str, *, now: float, seconds: int,
             audiences: list[str], bound: dict[str, Any] | None) -> str:  # fmt: skip
        """A token for a service account; ``bound`` is the claim of the object it dies with."""
        claims = {
            "aud": audiences or [self.issuer],
            "exp": int(now) + seconds,
            "iat": int(now),
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}, **(bound or {})},
            "nbf": int(now),
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        header = {"alg": "ES256", "kid": self._key_id}
        signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return f"{signed}.{_b64(raw)}"

    def verify(self, token: str, now: float) -> dict[str, Any] | None:
        """The claims of a token that is ours and in date, or None."""
        claims = self._verified.get(token)
        if claims is None:
            claims = self._check_signature(token)
            if claims is None:
                return None
            if len(self._verified) > 1000:
                self._verified.clear()
            self._verified[token] = claims
        in_date = claims.get("nbf", 0) <= now + 10 and now < claims.get("exp", 0)
        for_us = self.issuer in (claims.get("aud") or [])
        return claims if in_date and for_us and claims.get("iss") == self.issuer else None

    def _check_signature(self, token: str) -> dict[str, Any] | None:
        try:
            signed, _, signature = token.rpartition(".")
            raw = _unb64(signature)
            if len(raw) != 2 * _COORDINATE_BYTES:
                return None
            r, s = (int.from_bytes(part, "big") for part in (raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]))
            self._key.public_key().verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(hashes.SHA256()))
            return json.loads(_unb64(signed.split(".")[1]))
        except (ValueError, IndexError, InvalidSignature):
            return None


class Authenticator:
    """From headers to a user."""

    def __init__(self, tokens: Mapping[str, str], signer: TokenSigner, still_there: Bound) -> None:
        self._tokens = dict(tokens)
        self._signer = signer
        self._still_there = still_there

    def user(self, headers: Mapping[str, str], now: float) -> User | None:
        """The user; `ANONYMOUS` when there is no token, None when there is one that does not hold."""
        inside = headers.get(IN_PROCESS_HEADER)
        if inside:
            return User(inside, ("system:masters", "system:authenticated"))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS if not scheme else None
        return self.token_user(token.strip(), now)

    def token_user(self, token: str, now: float) -> User | None:
        """The user of a bearer token, or None."""
        name = self._tokens.get(token)
        if name is not None:
            return User(name, ("system:masters", "system:authenticated"))
        claims = self._signer.verify(token, now) if token.count(".") == 2 else None
        if claims is None or not self._still_there(claims.get("kubernetes.io") or {}):
            return None
        return _service_account_user(claims)


def _service_account_user(claims: dict[str, Any]) -> User:
    private = claims["kubernetes.io"]
    namespace = private["namespace"]
    extra = {"authentication.kubernetes.io/credential-id": [f"JTI={claims['jti']}"]}
    for kind in ("pod", "node"):
        if kind in private:
            extra[f"authentication.kubernetes.io/{kind}-name"] = [private[kind]["name"]]
            extra[f"authentication.kubernetes.io/{kind}-uid"] = [private[kind]["uid"]]
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(claims["sub"], groups, private["serviceaccount"]["uid"], extra)
