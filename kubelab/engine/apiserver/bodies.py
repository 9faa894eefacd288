"""From a request's body to an object of the resource that the URL names."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import Duplicates, Unreadable, parse_body
from kubelab.engine.apiserver.custom.pruning import pruned
from kubelab.engine.apiserver.decode import DecodeError, Decoder, json_type
from kubelab.engine.apiserver.encoding import Object, dumps_sorted
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import StatusError, bad_request, invalid
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field


def read_object(call: Call, rtype: ResourceType) -> Object:
    """The body as an object with ``metadata``. Raises a Status."""
    strictness = call.field_validation
    duplicates = Duplicates()
    content_type = call.request.headers.get("content-type", "")
    body = call.request.body
    try:
        data = parse_body(body, content_type, None if strictness == "Ignore" else duplicates,
                          "" if rtype.custom else rtype.schema)  # fmt: skip
    except Unreadable as error:
        raise _unrecognized(rtype, body, str(error)) from None
    if not isinstance(data, dict):
        raise _unrecognized(rtype, body, _no_object(data, body))
    if rtype.custom:
        _check_says_its_type(data, rtype, body)
    check_type(data, rtype)
    obj, problems = decode(data, rtype)
    problems += duplicates
    if problems and strictness == "Strict":
        raise unreadable(rtype, f"strict decoding error: {', '.join(problems)}")
    if strictness == "Warn":
        call.warnings += problems
    return obj


def read_options(call: Call, schema: str) -> Object:
    """A small body that may be missing (DeleteOptions, Binding …)."""
    if not call.request.body:
        return {}
    data = parse_body(call.request.body, call.request.headers.get("content-type", ""), schema=schema)
    kind = data.get("kind") if isinstance(data, dict) else ""
    if kind and kind != schema.rpartition(".")[2]:
        raise bad_request(f'no kind "{kind}" is registered for version "{data.get("apiVersion") or "v1"}" in scheme '
                          '"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"')  # fmt: skip
    try:
        return Decoder().object(schema, data)
    except DecodeError as error:
        raise bad_request(str(error)) from None


def _no_object(data: Any, body: bytes) -> str:
    if data is None:
        return f"Object 'Kind' is missing in '{body.decode(errors='replace').strip()}'"
    why = f"json: cannot unmarshal {json_type(data)} into Go value of type {_TYPE_META}"
    return f"couldn't get version/kind; json parse error: {why}"


def _check_says_its_type(data: Object, rtype: ResourceType, body: bytes) -> None:
    """Raises a 400 Status for what does not say what it is: no Go type says it for a custom resource."""
    if not data.get("kind"):
        raise _unrecognized(rtype, body, _no_object(None, body))
    if data.get("apiVersion") != rtype.api_version:
        raise _other_version(data.get("apiVersion") or "", rtype)


_SHOWN_BYTES = 30
_TYPE_META = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


def _unrecognized(rtype: ResourceType, body: bytes, why: str) -> StatusError:
    """400: what kind of thing the body is cannot be told, with its first bytes to know it by."""
    first, rest = body[:_SHOWN_BYTES], " ..." if len(body) > _SHOWN_BYTES else ""
    shown = (first.decode(errors="replace") if first.startswith(b"{") else first.hex()) + rest if body else "<empty>"
    return bad_request(f"the object provided is unrecognized (must be of type {rtype.kind}): {why} ({shown})")


def _other_version(api_version: str, rtype: ResourceType) -> StatusError:
    have = f"the API version in the data ({api_version})"
    return bad_request(f"{have} does not match the expected API version ({rtype.api_version})")


def unreadable(rtype: ResourceType, why: str, kind: str = "") -> StatusError:
    """400: the body, which calls itself of ``kind``, is not an object of this kind."""
    return bad_request(f'{kind or rtype.kind} in version "{rtype.version}" cannot be handled as a {rtype.kind}: {why}')


def check_type(data: Any, rtype: ResourceType) -> None:
    """Raises a Status unless the data is an object of the resource's kind (or says nothing of its kind)."""
    if not isinstance(data, dict):
        raise bad_request(
            f"couldn't get version/kind; json parse error: the body is not an object of kind {rtype.kind}"
        )
    api_version, kind = data.get("apiVersion") or rtype.api_version, data.get("kind") or rtype.kind
    if kind != rtype.kind and rtype.custom:
        wrong = invalid_field("kind", kind, f"must be {rtype.kind}")
        raise invalid(kind, rtype.group, (data.get("metadata") or {}).get("name", ""), [wrong])
    if kind != rtype.kind:
        why = (
            f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
        )
        known = str(kind).lower() != rtype.kind.lower()  # a kind is written with capitals; others may well be kinds
        raise unreadable(rtype, "wrong kind" if known else why, str(kind))
    if api_version != rtype.api_version:
        raise _other_version(api_version, rtype)


def decode(data: Object, rtype: ResourceType) -> tuple[Object, list[str]]:
    """The data with types checked, and what is wrong only for a strict reader. Raises a 400 Status."""
    decoder = Decoder()
    try:
        custom = rtype.custom
        obj = pruned(data, custom.schema, decoder.unknown) if custom else decoder.object(rtype.schema, data)
    except DecodeError as error:
        raise Undecodable(rtype, str(error)) from None
    obj["kind"], obj["apiVersion"] = rtype.kind, rtype.api_version
    obj.setdefault("metadata", {})
    unknown = sorted(decoder.unknown) if custom else decoder.unknown  # as upstream, which prunes by name
    return obj, [f'unknown field "{path}"' for path in unknown]


def refuse_undeclared(config: Object, problems: list[str]) -> None:
    """An applied configuration has only fields of the schema, however lenient the validation."""
    refuse_untyped(config, [f".{problem.split(chr(34))[1]}: field not declared in schema" for problem in problems])


def refuse_untyped(config: Object, problems: list[str]) -> None:
    """An applied configuration is of its schema's types. Raises a Status that lists why it is not."""
    if not problems:
        return
    group, _, version = config["apiVersion"].rpartition("/")
    meta = config.get("metadata") or {}
    which = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group}/{version}, Kind={config['kind']}"
    listed = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    raise StatusError(500, "", f"failed to create typed patch object ({which}): {listed}")


class Undecodable(StatusError):
    """A 400 Status: the object is not of its types. Its text is the decoder's sentence."""

    def __init__(self, rtype: ResourceType, why: str) -> None:
        status = unreadable(rtype, why)
        super().__init__(status.code, status.reason, status.message)
        self._why = why

    def __str__(self) -> str:
        return self._why


def unfit_patch(made: Any, why: str) -> StatusError:
    """422: what a patch makes of an object is none."""
    return invalid("", "", "", [invalid_field("patch", dumps_sorted(made), why)])


def refuse_unknown_in_patch(call: Call, made: Any, problems: list[str]) -> None:
    """What strict validation makes of a patch that sets fields that there are not."""
    if not problems:
        return
    if call.field_validation == "Strict":
        raise unfit_patch(made, f"strict decoding error: {', '.join(problems)}")
    if call.field_validation == "Warn":
        call.warnings += problems
