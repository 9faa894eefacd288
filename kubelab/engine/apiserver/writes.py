"""The verbs that change objects: POST, PUT, PATCH, DELETE on a collection or an object."""

from __future__ import annotations

from typing import Any

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access import Authorizer, attributes_to_create
from kubelab.engine.apiserver.bodies import (
    Undecodable,
    check_type,
    decode,
    read_object,
    refuse_undeclared,
    refuse_unknown_in_patch,
    refuse_untyped,
    unfit_patch,
)
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import Duplicates, Unreadable, parse_body, wanted
from kubelab.engine.apiserver.decode import json_type
from kubelab.engine.apiserver.deletion import delete, delete_options
from kubelab.engine.apiserver.encoding import Object, copy, dumps, dumps_sorted
from kubelab.engine.apiserver.kinds import kind_of
from kubelab.engine.apiserver.options import check_list, check_write
from kubelab.engine.apiserver.ownership import apply_patch
from kubelab.engine.apiserver.ownership.typing import typed_problems
from kubelab.engine.apiserver.patch import json_patch, merge_patch
from kubelab.engine.apiserver.reads import Reader, list_body, respond
from kubelab.engine.apiserver.registry import Prepare, Registry
from kubelab.engine.apiserver.status import StatusError, bad_request, not_found, unsupported_media_type
from kubelab.engine.apiserver.storage import Stored
from kubelab.engine.apiserver.strategic import strategic_merge
from kubelab.engine.client.transport import ApiResponse

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
PATCHES = (JSON_PATCH, MERGE_PATCH, STRATEGIC, APPLY)

_ANSWERS_WITH_OBJECT = (r.PODS, r.SERVICES, r.SERVICEACCOUNTS, r.RESOURCEQUOTAS)


class Writer:
    """Answers writes through the registry."""

    def __init__(self, registry: Registry, reader: Reader, authorizer: Authorizer) -> None:
        self._registry = registry
        self._reader = reader
        self._authorizer = authorizer

    def create(self, call: Call) -> ApiResponse:
        """POST to a collection."""
        check_write(call)
        return self._reader.answer(call, self._registry.create(call, read_object(call, call.target.rtype)), 201)

    def update(self, call: Call) -> ApiResponse:
        """PUT to an object or its status."""
        rtype, target = call.target.rtype, call.target
        check_write(call)
        obj = read_object(call, rtype)
        if not obj["metadata"].get("name"):
            raise unnamed(target.name)
        check_name(obj, target.name)
        check_sent_namespace(obj, target.namespace)
        old = self._registry.store.get(rtype.storage_key, (target.namespace, target.name))
        if old is None:
            if rtype.create_on_update and not target.subresource:
                obj["metadata"]["name"] = target.name
                obj["metadata"].pop("resourceVersion", None)
                obj["metadata"].pop("uid", None)
                self._authorizer.require(attributes_to_create(call.user, target))
                return self._reader.answer(call, self._registry.create(call, obj), 201)
            raise not_found(rtype, target.name)
        return self._reader.answer(call, self._registry.replace(call, old, obj, self._prepare(call)))

    def _prepare(self, call: Call) -> Prepare | None:
        return kind_of(call.target.rtype).prepares.get(call.target.subresource)

    # -- patches ---------------------------------------------------------------------------------

    def patch(self, call: Call) -> ApiResponse:
        """PATCH of an object or its status."""
        target, rtype = call.target, call.target.rtype
        media = call.request.headers.get("content-type", "").partition(";")[0].strip()
        accepted = tuple(one for one in PATCHES if one != STRATEGIC) if rtype.custom else PATCHES
        if media not in accepted:
            raise unsupported_media_type(accepted)
        check_write(call, apply=media == APPLY)
        duplicates = Duplicates()
        try:
            patch = parse_body(call.request.body, media, duplicates if media == MERGE_PATCH else None)
        except Unreadable as error:
            raise bad_request(f"error decoding {'YAML' if media == APPLY else 'patch'}: {error.why}") from None
        old = self._registry.store.get(rtype.storage_key, (target.namespace, target.name))
        if media == APPLY:
            return self._apply(call, patch, old)
        if old is None:
            raise not_found(rtype, target.name)
        shown = kind_of(rtype).to_view(old.obj)
        made = patched(shown, patch, media, rtype)
        obj = self._decode_patched(call, made, duplicates)
        return self._reader.answer(call, self._registry.replace(call, old, obj, self._prepare(call)))

    def _decode_patched(self, call: Call, made: Any, duplicates: list[str]) -> Object:
        if call.target.rtype.custom and isinstance(made, dict) and not made.get("kind"):
            raise unfit_patch(made, f"Object 'Kind' is missing in '{dumps_sorted(made)}'")
        check_type(made, call.target.rtype)
        try:
            obj, problems = decode(made, call.target.rtype)
        except Undecodable as error:
            raise unfit_patch(made, str(error)) from None
        refuse_unknown_in_patch(call, made, [*duplicates, *problems])
        if not obj["metadata"].get("name"):
            raise unnamed(call.target.name)
        check_name(obj, call.target.name)
        check_namespace(obj, call.target.namespace)
        return obj

    def _apply(self, call: Call, patch: Any, old: Stored | None) -> ApiResponse:
        rtype, target = call.target.rtype, call.target
        if not isinstance(patch, dict | None):
            what = f"json: cannot unmarshal {json_type(patch)} into Go value of type map[string]interface {{}}"
            raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {what}")
        patch = patch or {}
        if rtype.custom and (patch.get("kind"), patch.get("apiVersion")) != (rtype.kind, rtype.api_version):
            said, slash, v = (patch.get("apiVersion") or "/").rpartition("/")
            raise bad_request(f"invalid object type: {said}{slash}{v}, Kind={patch.get('kind') or ''}")
        if (said := patch.get("apiVersion") or "") != rtype.api_version:
            text = "Incorrect version specified in apply patch. Specified patch version"
            raise bad_request(f"{text}: {said}, expected: {rtype.api_version}")
        check_type(patch, rtype)
        meta = patch.get("metadata")
        if isinstance(meta, dict) and meta.get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        refuse_untyped(patch, list(typed_problems(patch, rtype.shape)))
        config, problems = decode(patch, rtype)
        if not rtype.custom:  # of a custom resource that was asked above: where anything may be, it may be left out too
            refuse_undeclared(config, problems)
        check_name(config, target.name)
        check_sent_namespace(config, target.namespace)
        if old is None and target.subresource:
            raise not_found(rtype, target.name)
        made = apply_patch(call, kind_of(rtype).to_view(old.obj) if old else None, config)
        if old is None:
            if not (meta or {}).get("name"):
                raise unnamed(target.name)
            self._authorizer.require(attributes_to_create(call.user, target))
            return self._reader.answer(call, self._registry.create(call, made), 201)
        return self._reader.answer(call, self._registry.replace(call, old, made, self._prepare(call)))

    # -- deletes ---------------------------------------------------------------------------------

    def delete(self, call: Call) -> ApiResponse:
        """DELETE of an object."""
        target, rtype = call.target, call.target.rtype
        options = delete_options(call)
        old = self._registry.get(rtype, target.namespace, target.name)
        self._registry.judge(call, None, old.obj)
        stored, gone = delete(self._registry, call, old, options)
        if not gone or rtype in _ANSWERS_WITH_OBJECT:
            return self._reader.answer(call, stored)
        details: Object = {"name": target.name, "kind": rtype.plural, "uid": stored.obj["metadata"]["uid"]}
        if rtype.group:
            details["group"] = rtype.group
        return success(call, details)

    def delete_collection(self, call: Call) -> ApiResponse:
        """DELETE of everything that is selected."""
        rtype, store = call.target.rtype, self._registry.store
        options = delete_options(call)
        check_list(call)
        matches = self._reader.selection(call)
        items = [
            stored
            for stored in store.shelf(rtype.storage_key).sorted()
            if call.target.namespace in ("", stored.key[0]) and (matches is None or matches(stored.obj))
        ]
        if limit := call.number("limit"):
            items = items[:limit]
        for stored in items:
            self._registry.judge(call, None, stored.obj)
            delete(self._registry, call, stored, options)
        form = wanted(call.request.headers)
        return respond(200, list_body(rtype, items, {"resourceVersion": str(store.revision)}), form)


def patched(target: Object, patch: Any, media: str, rtype: r.ResourceType) -> Any:
    """The object with a patch of one of the three older kinds."""
    if media == JSON_PATCH:
        return json_patch(target, patch)
    if not isinstance(patch, dict):
        what = f"json: cannot unmarshal {json_type(patch)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding patch: {what}")
    if media == MERGE_PATCH:
        return merge_patch(copy(target), patch)
    return strategic_merge(copy(target), patch, rtype.shape)


def success(call: Call, details: Object | None = None, code: int = 200) -> ApiResponse:
    """A Status of Success."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if details:
        body["details"] = details
    if code != 200:
        body["code"] = code
    return respond(code, dumps(body), wanted(call.request.headers, "Table", "PartialObjectMetadata"))


def unnamed(name: str) -> StatusError:
    """400: an object that is sent to a URL does not say its name."""
    return bad_request(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")


def check_name(obj: Object, name: str) -> None:
    """Raises a 400 Status for an object that calls itself other than its URL."""
    have = obj["metadata"].setdefault("name", name)
    if have != name:
        raise bad_request(f"the name of the object ({have}) does not match the name on the URL ({name})")


def check_sent_namespace(obj: Object, namespace: str) -> None:
    """Raises a 400 Status for an object that is sent, whole or applied, to another namespace than its own."""
    if obj["metadata"].get("namespace", "") not in ("", namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")


def check_namespace(obj: Object, namespace: str) -> None:
    """Raises a 400 Status for an object of another namespace than its URL's."""
    have = obj["metadata"].get("namespace") or namespace
    if have != namespace:
        raise bad_request(f"the namespace of the object ({have}) does not match the namespace on the URL ({namespace})")
