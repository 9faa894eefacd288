"""Pod templates: their hash and their equality.

The hash is an FNV-1a of the template as canonical JSON, written in the letters that Kubernetes uses for it (no vowels,
so that no word appears by chance). The same template has the same hash on every run, which is what lessons compare;
it is not the hash that another cluster would give, as that depends on how Go prints its structs.
"""

from __future__ import annotations

import json
from typing import Any

from kubelab.engine.client import Object

HASH_LABEL = "pod-template-hash"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def template_hash(template: Object, collisions: int | None = None) -> str:
    """Up to ten letters that stand for the template; ``collisions`` gives another one when a name is taken."""
    text = json.dumps(_without_hash(template), sort_keys=True, separators=(",", ":"))
    if collisions is not None:
        text += str(collisions)
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(value))


def same_template(one: Object, other: Object) -> bool:
    """Whether two templates ask for the same pods, the hash label aside."""
    return bool(_without_hash(one) == _without_hash(other))


def _without_hash(template: Object) -> Object:
    bare: Object = _meaning(template)
    labels = bare.get("metadata", {}).get("labels", {})
    if HASH_LABEL in labels:
        rest = {key: value for key, value in labels.items() if key != HASH_LABEL}
        bare = {**bare, "metadata": {**bare["metadata"], "labels": rest}}
    return bare


def _meaning(value: Any) -> Any:
    """Without what says nothing: null, empty lists, and those empty objects that do not (``emptyDir: {}`` does)."""
    if isinstance(value, dict):
        kept = {key: _meaning(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and each != [] and not _is_void(key, each)}
    if isinstance(value, list):
        return [_meaning(each) for each in value]
    return value


def _is_void(key: str, value: Any) -> bool:
    return value == {} and key in ("annotations", "labels", "metadata", "resources", "securityContext", "nodeSelector")
