"""From a request's body to an object of the resource that the URL names."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import Duplicates, parse_body
from kubelab.engine.apiserver.custom.pruning import pruned
from kubelab.engine.apiserver.decode import DecodeError, Decoder
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.status import StatusError, bad_request, invalid
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field


def read_object(call: Call, rtype: ResourceType) -> Object:
    """The body as an object with ``metadata``. Raises a Status."""
    strictness = call.field_validation
    duplicates = Duplicates()
    content_type = call.request.headers.get("content-type", "")
    data = parse_body(call.request.body, content_type, None if strictness == "Ignore" else duplicates,
                      "" if rtype.custom else rtype.schema)  # fmt: skip
    check_type(data, rtype)
    obj, problems = decode(data, rtype)
    problems += [f'duplicate field "{name}"' for name in duplicates]
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
    try:
        return Decoder().object(schema, data)
    except DecodeError as error:
        raise bad_request(str(error)) from None


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
    if kind != rtype.kind:
        why = (
            f'no kind "{kind}" is registered for version "{api_version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
        )
        known = str(kind).lower() != rtype.kind.lower()  # a kind is written with capitals; others may well be kinds
        raise unreadable(rtype, "wrong kind" if known else why, str(kind))
    if api_version != rtype.api_version:
        raise bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({rtype.api_version})"
        )


def decode(data: Object, rtype: ResourceType) -> tuple[Object, list[str]]:
    """The data with types checked, and what is wrong only for a strict reader. Raises a 400 Status."""
    decoder = Decoder()
    try:
        custom = rtype.custom
        obj = pruned(data, custom.schema, decoder.unknown) if custom else decoder.object(rtype.schema, data)
    except DecodeError as error:
        raise unreadable(rtype, str(error)) from None
    obj["kind"], obj["apiVersion"] = rtype.kind, rtype.api_version
    obj.setdefault("metadata", {})
    return obj, [f'unknown field "{path}"' for path in decoder.unknown]


def refuse_undeclared(config: Object, problems: list[str]) -> None:
    """An applied configuration has only fields of the schema, however lenient the validation.

    In upstream's words, which come with a 500 there; a client's mistake is a 400 here.
    """
    refuse_untyped(config, [f".{problem.split(chr(34))[1]}: field not declared in schema" for problem in problems])


def refuse_untyped(config: Object, problems: list[str]) -> None:
    """An applied configuration is of its schema's types. Raises a Status that lists why it is not."""
    if not problems:
        return
    group, _, version = config["apiVersion"].rpartition("/")
    meta = config["metadata"]
    which = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group}/{version}, Kind={config['kind']}"
    listed = problems[0] if len(problems) == 1 else "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    raise StatusError(400, "", f"failed to create typed patch object ({which}): {listed}")


def refuse_unknown_in_patch(call: Call, problems: list[str]) -> None:
    """What strict validation makes of a patch that sets fields that there are not."""
    if not problems:
        return
    if call.field_validation == "Strict":
        text = call.request.body.decode(errors="replace")
        error = invalid_field("patch", text, f"strict decoding error: {', '.join(problems)}")
        raise invalid("", "", "", [error])
    if call.field_validation == "Warn":
        call.warnings += problems
