"""What a schema does not know goes; what it leaves open stays."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver.decode import Decoder, field_path

_PRESERVE, _EMBEDDED = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_TYPED = ("apiVersion", "kind")


def pruned(value: Any, schema: Any, unknown: list[str]) -> Any:
    """A whole object without the fields that its schema does not know; their paths are added to ``unknown``.

    Metadata is typed as in every object. Raises `DecodeError` when it is not of its type.
    """
    return _object(value, schema, (), unknown, whole=True)


def _walk(value: Any, schema: Any, path: Any, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        return _object(value, schema, path, unknown, whole=bool(schema.get(_EMBEDDED)))
    items = schema.get("items") or ({} if not schema.get(_PRESERVE) else None)
    if isinstance(value, list) and isinstance(items, dict):
        return [_walk(item, items, (path, index), unknown) for index, item in enumerate(value)]
    return value


def _object(value: Any, schema: Any, path: Any, unknown: list[str], *, whole: bool) -> Any:
    properties, others = schema.get("properties") or {}, schema.get("additionalProperties")
    keeps = schema.get(_PRESERVE) or others is True
    result: dict[str, Any] = {}
    for name, item in value.items():
        if whole and name == "metadata":
            if item is not None:
                result[name] = _metadata(item, path, unknown)
        elif whole and name in _TYPED:
            result[name] = item
        elif name in properties:
            result[name] = _walk(item, properties[name], (path, name), unknown)
        elif isinstance(others, dict):
            result[name] = _walk(item, others, (path, name), unknown)
        elif keeps:
            result[name] = item
        else:
            unknown.append(field_path((path, name)))
    return result


def _metadata(value: Any, path: Any, unknown: list[str]) -> Any:
    decoder = Decoder()
    meta = decoder.object(_OBJECT_META, value)
    unknown += [field_path((path, f"metadata.{field}")) for field in decoder.unknown]
    return meta
