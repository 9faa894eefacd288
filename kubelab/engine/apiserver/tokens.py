"""Service account tokens: ES256 JSON Web Tokens (RFC 7519), bound to objects as upstream binds them.

Two forms: those of TokenRequest run out and die with what they are bound to (KEP-1205); those kept in Secrets of type
``kubernetes.io/service-account-token`` last as long as their Secret.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

_COORDINATE_BYTES = 32
_MOST_REMEMBERED = 1000
_LEEWAY_SECONDS = 10
LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY = "kubernetes.io/serviceaccount/"

Claims = dict[str, Any]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class TokenSigner:
    """Signs tokens and knows its own again."""

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
        self._verified: dict[str, Claims] = {}

    def sign(self, namespace: str, name: str, uid: str, *, now: float, seconds: int,
             audiences: list[str], bound: Claims | None) -> str:  # fmt: skip
        """A token for a service account; ``bound`` is the claim of the object it dies with."""
        return self._signed(
            {
                "aud": audiences or [self.issuer],
                "exp": int(now) + seconds,
                "iat": int(now),
                "iss": self.issuer,
                "jti": str(uuid.uuid4()),
                "kubernetes.io": {
                    "namespace": namespace,
                    "serviceaccount": {"name": name, "uid": uid},
                    **(bound or {}),
                },
                "nbf": int(now),
                "sub": f"system:serviceaccount:{namespace}:{name}",
            }
        )

    def sign_for_secret(self, namespace: str, name: str, uid: str, secret: str) -> str:
        """The token of a service account that is kept in a Secret."""
        return self._signed(
            {
                "iss": LEGACY_ISSUER,
                f"{_LEGACY}namespace": namespace,
                f"{_LEGACY}secret.name": secret,
                f"{_LEGACY}service-account.name": name,
                f"{_LEGACY}service-account.uid": uid,
                "sub": f"system:serviceaccount:{namespace}:{name}",
            }
        )

    def _signed(self, claims: Claims) -> str:
        header = {"alg": "ES256", "kid": self._key_id}
        signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")
        return f"{signed}.{_b64(raw)}"

    def verify(self, token: str, now: float, audiences: Sequence[str] = ()) -> Claims | None:
        """The claims of a token that is ours, in date and meant for one of the audiences (default: the API); or None.

        A token from a Secret is meant for the API and never runs out; whether its Secret is still there is not asked.
        """
        claims = self._verified.get(token)
        if claims is None:
            claims = self._check_signature(token)
            if claims is None:
                return None
            if len(self._verified) > _MOST_REMEMBERED:
                self._verified.clear()
            self._verified[token] = claims
        wanted = audiences or (self.issuer,)
        if claims.get("iss") == LEGACY_ISSUER:
            return claims if self.issuer in wanted else None
        in_date = claims.get("nbf", 0) <= now + _LEEWAY_SECONDS and now < claims.get("exp", 0)
        for_them = any(audience in wanted for audience in claims.get("aud") or ())
        return claims if in_date and for_them and claims.get("iss") == self.issuer else None

    def _check_signature(self, token: str) -> Claims | None:
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


def account_of(claims: Claims) -> Claims:
    """What a token says of its account and of what it is bound to, in TokenRequest's form."""
    if claims.get("iss") != LEGACY_ISSUER:
        return claims.get("kubernetes.io") or {}
    return {
        "namespace": claims.get(f"{_LEGACY}namespace", ""),
        "serviceaccount": {
            "name": claims.get(f"{_LEGACY}service-account.name", ""),
            "uid": claims.get(f"{_LEGACY}service-account.uid", ""),
        },
        "secret": {"name": claims.get(f"{_LEGACY}secret.name", "")},
    }
