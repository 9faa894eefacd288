"""The API's own description: OpenAPI v3 by group version, and OpenAPI v2 in one piece.

Made from Kubernetes' published definitions when first asked for; only what the served resources reach is included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from kubelab.engine.apiserver.catalogue import Catalogue
from kubelab.engine.apiserver.custom.version import TYPE_AND_META
from kubelab.engine.apiserver.discovery import of_group_version
from kubelab.engine.apiserver.encoding import Object, dumps
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.schema import definitions
from kubelab.engine.config import KUBERNETES_VERSION

_V3, _V2, _PUBLISHED = "#/components/schemas/", "#/definitions/", "#/$defs/"
_GVK = "x-kubernetes-group-version-kind"
_LIST_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"
_VERBS = {"get": "get", "put": "update", "patch": "patch", "delete": "delete", "post": "create"}
_WRITES = ("post", "put", "patch")
_MEDIA = ("application/json", "application/yaml")
_PATCH_MEDIA = ("application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json")
_STRATEGIC = "application/strategic-merge-patch+json"


def _path_of(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def index(catalogue: Catalogue) -> Object:
    """/openapi/v3"""
    paths = {}
    for group, version in catalogue.group_versions:
        path = _path_of(group, version)
        digest = hashlib.sha256(document(of_group_version(catalogue, group, version))).hexdigest().upper()
        paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


@lru_cache(maxsize=64)
def document(rtypes: tuple[ResourceType, ...]) -> bytes:
    """/openapi/v3/apis/GROUP/VERSION, whose resources these are."""
    paths: Object = {}
    for rtype in rtypes:
        paths.update(_paths(rtype, _V3, _operation_v3))
    body = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths,
        "components": {"schemas": _schemas(rtypes, _V3)},
    }
    return dumps(body)


@lru_cache(maxsize=2)
def swagger(catalogue: Catalogue) -> bytes:
    """/openapi/v2"""
    versions = catalogue.group_versions
    rtypes = [rtype for group, version in versions for rtype in of_group_version(catalogue, group, version)]
    paths: Object = {}
    for rtype in rtypes:
        paths.update(_paths(rtype, _V2, _operation_v2))
    body = {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": paths,
        "definitions": _schemas(rtypes, _V2),
    }
    return dumps(body)


SWAGGER_PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def swagger_protobuf() -> bytes:
    """/openapi/v2 for kubectl, which turns to it only for kinds that OpenAPI v3 does not have: a document without any.

    Fields of gnostic's ``Document``: 1 swagger, 2 info (1 title, 2 version), 8 paths, 9 definitions.
    """

    def field(number: int, value: bytes) -> bytes:
        return bytes((number << 3 | 2, len(value))) + value

    info = field(1, b"Kubernetes") + field(2, KUBERNETES_VERSION.encode())
    return field(1, b"2.0") + field(2, info) + field(8, b"") + field(9, b"")


# -- schemas -----------------------------------------------------------------------------------


def _schemas(rtypes: Iterable[ResourceType], base: str) -> Object:
    found: Object = {}
    custom = _custom_definitions(rtypes)
    waiting = [_LIST_META, "io.k8s.apimachinery.pkg.apis.meta.v1.Status",
               "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]  # fmt: skip
    for rtype in rtypes:
        waiting += [rtype.schema]
        if f"{rtype.schema}List" in definitions() or rtype.custom:
            waiting.append(f"{rtype.schema}List")
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _rewritten(custom.get(name) or definitions()[name], base, waiting)
    return dict(sorted(found.items()))


def _custom_definitions(rtypes: Iterable[ResourceType]) -> Object:
    """What CustomResourceDefinitions say of their kinds, under the names that the rest of the document uses."""
    made: Object = {}
    for rtype in rtypes:
        if rtype.custom:
            typed = {"group": rtype.group, "version": rtype.version}
            made[rtype.schema] = {**rtype.custom.definition(), _GVK: [{**typed, "kind": rtype.kind}]}
            items = {"type": "array", "items": {"$ref": _PUBLISHED + rtype.schema}}
            made[f"{rtype.schema}List"] = {
                "type": "object",
                "required": ["items"],
                "properties": {**TYPE_AND_META, "metadata": {"$ref": _PUBLISHED + _LIST_META}, "items": items},
                _GVK: [{**typed, "kind": rtype.list_kind}],
            }
    return made


def _rewritten(value: Any, base: str, waiting: list[str]) -> Any:
    """A published definition in OpenAPI's words: no null types, references of its own kind."""
    if isinstance(value, list):
        return [_rewritten(item, base, waiting) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, item in value.items():
        if key == "type" and isinstance(item, list):
            result[key] = next(name for name in item if name != "null")
        elif key == "$ref" and isinstance(item, str):
            name = item.removeprefix(_PUBLISHED)
            waiting.append(name)
            result[key] = base + name
        elif key == "enum" and isinstance(item, list):
            if None not in item and len(item) > 1:
                result[key] = item
        elif key == "oneOf" and base == _V2:
            result["type"] = "string"
        else:
            result[key] = _rewritten(item, base, waiting)
    if base == _V3 and "$ref" in result and len(result) > 1:
        reference = result.pop("$ref")
        result["allOf"] = [{"$ref": reference}]
    return result


# -- paths -------------------------------------------------------------------------------------


def _paths(rtype: ResourceType, base: str, operation: Any) -> Object:
    root = f"/{_path_of(rtype.group, rtype.version)}"
    if rtype.namespaced:
        root += "/namespaces/{namespace}"
    collection, single = f"{root}/{rtype.plural}", f"{root}/{rtype.plural}/{{name}}"
    paths: Object = {}
    if "create" in rtype.verbs:
        paths[collection] = {"post": operation(rtype, "post", base)}
    if "list" in rtype.verbs:
        paths.setdefault(collection, {})["get"] = operation(rtype, "get", base, listed=True)
    methods = {method: verb for method, verb in _VERBS.items() if method != "post"}
    item = {method: operation(rtype, method, base) for method, verb in methods.items() if verb in rtype.verbs}
    if item:
        paths[single] = item
    return paths


def _parameter(name: str, description: str, base: str, kind: str = "string") -> Object:
    typed: Object = (
        {"schema": {"type": kind, "uniqueItems": True}} if base == _V3 else {"type": kind, "uniqueItems": True}
    )
    return {"name": name, "in": "query", "description": description, **typed}


def _parameters(method: str, base: str, listed: bool) -> list[Object]:
    if method in _WRITES:
        return [
            _parameter("dryRun", "All: go through every stage and keep nothing.", base),
            _parameter("fieldManager", "The name of who makes this change.", base),
            _parameter("fieldValidation", "What to do with unknown or duplicate fields: Ignore, Warn or Strict.", base),
        ]
    if listed:
        names = ("continue", "fieldSelector", "labelSelector", "limit", "resourceVersion", "timeoutSeconds", "watch")
        return [_parameter(name, "", base) for name in names]
    return []


def _common(rtype: ResourceType, method: str, base: str, listed: bool) -> Object:
    action = {"get": "list" if listed else "get", "post": "post", "put": "put", "patch": "patch", "delete": "delete"}[
        method
    ]
    return {
        "operationId": f"{action}{rtype.group.title().replace('.', '')}{rtype.version.title()}{rtype.kind}",
        "parameters": _parameters(method, base, listed),
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": {"group": rtype.group, "version": rtype.version, "kind": rtype.kind},
    }


def _patch_media(rtype: ResourceType) -> tuple[str, ...]:
    """kubectl reads here whether a kind can be patched strategically."""
    return _PATCH_MEDIA if rtype.custom else (*_PATCH_MEDIA, _STRATEGIC)


def _operation_v3(rtype: ResourceType, method: str, base: str, *, listed: bool = False) -> Object:
    schema = {"$ref": base + (f"{rtype.schema}List" if listed else rtype.schema)}
    operation = _common(rtype, method, base, listed)
    operation["responses"] = {"200": {"description": "OK", "content": {media: {"schema": schema} for media in _MEDIA}}}
    if method == "patch":
        operation["requestBody"] = {"content": {media: {"schema": {"type": "object"}} for media in _patch_media(rtype)}}
    elif method in _WRITES:
        operation["requestBody"] = {"content": {"*/*": {"schema": schema}}, "required": True}
    return operation


def _operation_v2(rtype: ResourceType, method: str, base: str, *, listed: bool = False) -> Object:
    schema = {"$ref": base + (f"{rtype.schema}List" if listed else rtype.schema)}
    operation = _common(rtype, method, base, listed)
    operation["responses"] = {"200": {"description": "OK", "schema": schema}}
    operation["consumes"] = list(_patch_media(rtype) if method == "patch" else _MEDIA)
    operation["produces"] = list(_MEDIA)
    return operation
