"""What stands below an object: scale, binding, eviction, finalize, tokens."""

from __future__ import annotations

from collections.abc import Callable

from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver import tables
from kubelab.engine.apiserver.bodies import read_options
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.content import parse_body, wanted
from kubelab.engine.apiserver.decode import DecodeError, Decoder
from kubelab.engine.apiserver.encoding import Object, copy, dumps
from kubelab.engine.apiserver.eviction import Evictions
from kubelab.engine.apiserver.options import check_write
from kubelab.engine.apiserver.reads import Reader, respond
from kubelab.engine.apiserver.registry import Registry
from kubelab.engine.apiserver.scale import scale_of, set_replicas
from kubelab.engine.apiserver.status import (
    bad_request,
    conflict,
    forbidden,
    invalid,
    method_not_allowed,
    unsupported_media_type,
)
from kubelab.engine.apiserver.storage import Stored
from kubelab.engine.apiserver.times import rfc3339
from kubelab.engine.apiserver.tokens import TokenSigner
from kubelab.engine.apiserver.validation.fields import invalid as invalid_field
from kubelab.engine.apiserver.writes import (
    APPLY,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC,
    check_name,
    check_namespace,
    patched,
    success,
    unnamed,
)
from kubelab.engine.client.transport import ApiResponse

_SCALE = "io.k8s.api.autoscaling.v1.Scale"
SHORTEST_TOKEN_SECONDS = 600
LONGEST_TOKEN_SECONDS = 2**32


class Subresources:
    """Answers requests for the subresources that are not just the object's status."""

    def __init__(self, registry: Registry, reader: Reader, signer: TokenSigner) -> None:
        self._registry = registry
        self._reader = reader
        self._signer = signer
        self._evictions = Evictions(registry)
        self._handlers: dict[str, Callable[[Call], ApiResponse]] = {
            "scale": self._scale,
            "binding": self._bind,
            "eviction": self._evict,
            "finalize": self._finalize,
            "token": self._token,
            "resize": self._refused_change,
        }

    def answer(self, call: Call) -> ApiResponse:
        """The answer of the subresource that the call names."""
        if call.request.method != "GET":
            check_write(call, apply=_media(call) == APPLY)
        return self._handlers[call.target.subresource](call)

    def _object(self, call: Call) -> Stored:
        return self._registry.get(call.target.rtype, call.target.namespace, call.target.name)

    def _refused_change(self, call: Call) -> ApiResponse:
        if call.request.method == "GET":
            return self._reader.answer(call, self._object(call))
        raise method_not_allowed(call.target.rtype)

    # -- scale -----------------------------------------------------------------------------------

    def _scale(self, call: Call) -> ApiResponse:
        stored = self._object(call)
        scale = scale_of(call.target.rtype, stored.obj)
        method = call.request.method
        if method != "GET":
            asked = self._asked_scale(call, scale)
            replicas = (asked.get("spec") or {}).get("replicas", 0)
            if replicas < 0 and not call.target.rtype.custom:  # which looks at its own field
                error = invalid_field("spec.replicas", replicas, "must be greater than or equal to 0")
                raise invalid("Scale", "autoscaling", call.target.name, [error])
            version = (asked.get("metadata") or {}).get("resourceVersion")
            if version and version != str(stored.revision):
                raise conflict(call.target.rtype, call.target.name)
            obj = copy(stored.obj)
            set_replicas(call.target.rtype, obj, replicas)
            scale = scale_of(call.target.rtype, self._registry.replace(call, stored, obj).obj)
        form = wanted(call.request.headers, "Table", "PartialObjectMetadata")
        if form.kind == "PartialObjectMetadata":
            scale = tables.partial(scale, form.group_version)
        elif form.kind:
            row = tables.row(tables.SCALE, scale, call.now, call.query.get("includeObject", "Metadata"))
            kind = {"kind": form.kind, "apiVersion": form.group_version}
            meta = {"resourceVersion": scale["metadata"]["resourceVersion"]}
            columns = tables.definitions(tables.SCALE)
            scale = {**kind, "metadata": meta, "columnDefinitions": columns, "rows": [row]}
        return respond(200, dumps(scale), form)

    def _asked_scale(self, call: Call, scale: Object) -> Object:
        media = _media(call)
        if media == STRATEGIC and call.target.rtype.custom:
            raise unsupported_media_type((JSON_PATCH, MERGE_PATCH, APPLY))
        body = parse_body(call.request.body, media, schema=_SCALE)
        if call.request.method == "PATCH":
            body = patched(scale, body, media if media in (JSON_PATCH, MERGE_PATCH) else MERGE_PATCH, r.DEPLOYMENTS)
        try:
            asked = Decoder().object(_SCALE, body)
        except DecodeError as error:
            raise bad_request(f'Scale in version "v1" cannot be handled as a Scale: {error}') from None
        asked.setdefault("metadata", {})
        if not asked["metadata"].get("name") and call.request.method == "PUT":
            raise unnamed(call.target.name)
        check_name(asked, call.target.name)
        check_namespace(asked, call.target.namespace)
        return asked

    # -- pods ------------------------------------------------------------------------------------

    def _bind(self, call: Call) -> ApiResponse:
        pod = self._object(call)
        binding = read_options(call, "io.k8s.api.core.v1.Binding")
        node = (binding.get("target") or {}).get("name")
        if not node:
            raise bad_request("target.name: Required value")
        name = call.target.name
        if pod.obj["spec"].get("nodeName"):
            raise conflict(r.PODS, name, f'pod {name} is already assigned to node "{pod.obj["spec"]["nodeName"]}"')
        if pod.obj["metadata"].get("deletionTimestamp"):
            raise conflict(r.PODS, name, f"pod {name} is being deleted, cannot be assigned to a host")
        self._registry.judge(call, binding, None)
        obj = copy(pod.obj)
        obj["spec"]["nodeName"] = node
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": call.timestamp}
        conditions = [one for one in obj["status"].get("conditions") or [] if one["type"] != "PodScheduled"]
        obj["status"]["conditions"] = [*conditions, scheduled]
        self._keep(call, pod, obj)
        return success(call, code=201)

    def _evict(self, call: Call) -> ApiResponse:
        body = read_options(call, "io.k8s.api.policy.v1.Eviction")
        self._registry.judge(call, body, None)
        self._evictions.evict(call, self._object(call), body)
        return success(call, code=201)

    def _keep(self, call: Call, old: Stored, obj: Object) -> Stored:
        if call.dry_run:
            return old
        rtype = call.target.rtype
        return self._registry.store.put(rtype.storage_key, old.key, obj, rtype.kind, rtype.api_version)

    # -- namespaces ------------------------------------------------------------------------------

    def _finalize(self, call: Call) -> ApiResponse:
        old = self._object(call)
        body = read_options(call, r.NAMESPACES.schema)
        version = (body.get("metadata") or {}).get("resourceVersion")
        if version and version != str(old.revision):
            raise conflict(r.NAMESPACES, call.target.name)
        obj = copy(old.obj)
        self._registry.judge(call, body, old.obj)
        obj["spec"] = {"finalizers": list((body.get("spec") or {}).get("finalizers") or [])}
        if not obj["spec"]["finalizers"]:
            obj["spec"] = {}
        meta = obj["metadata"]
        if meta.get("deletionTimestamp") and not obj["spec"] and not meta.get("finalizers"):
            return self._reader.answer(call, self._registry.remove(call, old, obj))
        return self._reader.answer(call, self._keep(call, old, obj))

    # -- service accounts ------------------------------------------------------------------------

    def _token(self, call: Call) -> ApiResponse:
        account = self._object(call)
        request = read_options(call, "io.k8s.api.authentication.v1.TokenRequest")
        spec = request.setdefault("spec", {})
        seconds = spec.setdefault("expirationSeconds", 3600)
        if not SHORTEST_TOKEN_SECONDS <= seconds <= LONGEST_TOKEN_SECONDS:
            why = "may not specify a duration less than 10 minutes" if seconds < SHORTEST_TOKEN_SECONDS else (
                "may not specify a duration larger than 2^32 seconds")  # fmt: skip
            error = invalid_field("spec.expirationSeconds", seconds, why)
            raise invalid("TokenRequest", "authentication.k8s.io", "", [error])
        namespace, name = account.key
        _check_metadata(request, namespace, name)
        self._registry.judge(call, request, None)
        bound = self._bound(call, spec.get("boundObjectRef"), account)
        uid = account.obj["metadata"]["uid"]
        token = self._signer.sign(
            namespace, name, uid, now=call.now, seconds=seconds,
            audiences=spec.get("audiences") or [], bound=bound,
        )  # fmt: skip
        spec.setdefault("audiences", [self._signer.issuer])
        request.update(
            kind="TokenRequest",
            apiVersion="authentication.k8s.io/v1",
            metadata={"name": name, "namespace": namespace, "creationTimestamp": call.timestamp},
            status={"token": token, "expirationTimestamp": rfc3339(call.now + seconds)},
        )
        return respond(201, dumps(request), wanted(call.request.headers))

    def _bound(self, call: Call, reference: Object | None, account: Stored) -> Object | None:
        """The claim of the object with which the token dies. A node gets tokens for the pods that it runs alone."""
        namespace, account_name = account.key
        if call.user.node and (reference or {}).get("kind") != "Pod":
            raise forbidden(r.SERVICEACCOUNTS, account_name, "node requested token not bound to a pod")
        if not reference:
            return None
        kinds = {"Pod": r.PODS, "Secret": r.SECRETS, "Node": r.NODES}
        rtype = kinds.get(reference.get("kind", ""))
        if rtype is None:
            raise bad_request(f"cannot bind token for serviceaccount to object of type {reference.get('kind')}")
        name = reference.get("name", "")
        stored = self._registry.get(rtype, namespace if rtype.namespaced else "", name)
        uid = stored.obj["metadata"]["uid"]
        if reference.get("uid") not in (None, "", uid):
            text = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
            raise conflict(rtype, name, text + "The object might have been deleted and then recreated")
        if rtype is r.PODS:
            self._check_pod(call, stored.obj, account_name)
        bound: Object = {rtype.singular: {"name": name, "uid": uid}}
        node = stored.obj["spec"].get("nodeName") if rtype is r.PODS else None
        if node and (found := self._registry.store.get(r.NODES.storage_key, ("", node))):
            bound["node"] = {"name": node, "uid": found.obj["metadata"]["uid"]}
        return bound

    @staticmethod
    def _check_pod(call: Call, pod: Object, account_name: str) -> None:
        if pod["spec"].get("serviceAccountName", "default") != account_name:
            whose = f'cannot bind token for serviceaccount "{account_name}"'
            raise bad_request(f"{whose} to pod running with different serviceaccount name.")
        if call.user.node and pod["spec"].get("nodeName") != call.user.node:
            why = "node requested token bound to a pod scheduled on a different node"
            raise forbidden(r.SERVICEACCOUNTS, account_name, why)


def _media(call: Call) -> str:
    return call.request.headers.get("content-type", "").partition(";")[0].strip()


def _check_metadata(request: Object, namespace: str, name: str) -> None:
    meta = request.get("metadata") or {}
    if meta.get("name", name) not in ("", name):
        raise bad_request("must match the service account name if specified")
    if meta.get("namespace", namespace) not in ("", namespace):
        raise bad_request("must match the service account namespace if specified")
