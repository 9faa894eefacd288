"""Which keys a Secret of each built-in type must have.

Source: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.validation.fields import FieldError, invalid, required

_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
}
_LOGIN = ("username", "password")
_ACCOUNT = "kubernetes.io/service-account.name"


def secret_type(obj: Object) -> list[FieldError]:
    """What the Secret's type asks for and is not there. What a certificate says is not looked at."""
    data = obj.get("data") or {}
    match obj.get("type"):
        case "kubernetes.io/tls" | "kubernetes.io/dockercfg" | "kubernetes.io/dockerconfigjson" as kind:
            errors = [required(f"data[{key}]") for key in _KEYS[kind] if key not in data]
            return errors if errors or kind == "kubernetes.io/tls" else _registries(data, _KEYS[kind][0])
        case "kubernetes.io/basic-auth":
            return [] if any(key in data for key in _LOGIN) else [required(f"data[{key}]") for key in _LOGIN]
        case "kubernetes.io/ssh-auth":
            return [] if data.get("ssh-privatekey") else [required("data[ssh-privatekey]")]
        case "kubernetes.io/service-account-token":
            named = (obj["metadata"].get("annotations") or {}).get(_ACCOUNT)
            return [] if named else [required(f"metadata.annotations[{_ACCOUNT}]")]
    return []


def _registries(data: Mapping[str, str], key: str) -> list[FieldError]:
    """Logins for image registries are an object in JSON; errors do not show what it holds."""
    text = base64.b64decode(data[key]).decode(errors="replace")
    problem = "" if text.strip() else "unexpected end of JSON input"
    try:
        if not problem and not isinstance(json.loads(text), dict):
            problem = "must be a JSON object"
    except json.JSONDecodeError as error:
        problem = f"must be JSON: invalid character at byte {error.pos}"
    return [invalid(f"data[{key}]", "<secret contents redacted>", problem)] if problem else []
