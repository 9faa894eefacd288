"""The API server's complaints about a manifest, in one sentence and with the line."""

from __future__ import annotations

import re

from kubelab.lab.errors import ApiError, BadManifest
from kubelab.lab.manifests import Manifest

_UNKNOWN = re.compile(r'(?:unknown|duplicate) field "([^"]+)"')
_WRONG_TYPE = re.compile(r"cannot unmarshal (\S+) into Go (?:struct field [^.\s]+\.(\S+)|value) of type (\S+)")
_NOUNS = {"string": "text", "number": "a number", "bool": "true or false", "object": "a mapping", "array": "a list"}


def explained(error: ApiError, manifest: Manifest) -> BadManifest | ApiError:
    """The complaint as a `BadManifest`; errors that are not about the manifest are handed back as they are."""
    if error.status not in (400, 422):
        return error
    return BadManifest(
        f"{manifest} {_unknown(error, manifest) or _wrong_type(error, manifest) or _causes(error, manifest)}."
    )


def _unknown(error: ApiError, manifest: Manifest) -> str:
    """A field that does not exist: the server says so with ``fieldValidation=Strict``."""
    paths = _UNKNOWN.findall(str(error))
    if not paths:
        return ""
    listed = ", ".join(f"{path}{manifest.line(path)}" for path in paths)
    head = "has an unknown field" if len(paths) == 1 else "has unknown fields"
    return f"{head}: {listed}; `kubectl explain {manifest.kind.lower()}` lists the fields there are"


def _wrong_type(error: ApiError, manifest: Manifest) -> str:
    """Text where a number belongs, and the like, as Go's JSON decoder puts it."""
    found = _WRONG_TYPE.search(str(error))
    if not found:
        return ""
    given, path, wanted = found.groups(default="")
    noun = "a whole number" if "int" in wanted else _NOUNS.get(wanted, "a list" if "[]" in wanted else "a mapping")
    return f"has {_NOUNS.get(given, given)} where {noun} belongs: {path or 'the object'}{manifest.line(path)}"


def _causes(error: ApiError, manifest: Manifest) -> str:
    """The server's own list of what is not valid, or its message as it is."""
    causes = error.details.get("causes")
    if not isinstance(causes, list) or not causes:
        return f"was refused: {str(error).rstrip('.')}"
    listed = "; ".join(
        f"{cause.get('field')}{manifest.line(cause.get('field', ''))}: {cause.get('message')}" for cause in causes
    )
    return f"is not valid: {listed.rstrip('.')}"
