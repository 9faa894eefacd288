"""The API server: one callable from request to answer, and the sockets around it."""

from __future__ import annotations

import logging
import socket
import sqlite3
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kubelab.engine.apiserver import bootstrap, nonresource
from kubelab.engine.apiserver import resources as r
from kubelab.engine.apiserver.access import Authorizer, attributes_of, attributes_to_create, verb_of
from kubelab.engine.apiserver.access.aggregation import Aggregation
from kubelab.engine.apiserver.access.escalation import Guard
from kubelab.engine.apiserver.access.impersonation import impersonated
from kubelab.engine.apiserver.access.policy import reconcile
from kubelab.engine.apiserver.account_secrets import AccountSecrets, holds_token
from kubelab.engine.apiserver.auth import MASTERS, Authenticator, User
from kubelab.engine.apiserver.call import Call
from kubelab.engine.apiserver.custom.definitions import Definitions
from kubelab.engine.apiserver.deletion import delete
from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.expiry import EventExpiry
from kubelab.engine.apiserver.http import Serving
from kubelab.engine.apiserver.judging.policies import Policies
from kubelab.engine.apiserver.kubelet import KubeletRelay, connection
from kubelab.engine.apiserver.metrics import ApiMetrics
from kubelab.engine.apiserver.ownership import tracked
from kubelab.engine.apiserver.podsecurity.admission import PodSecurity
from kubelab.engine.apiserver.proxying import proxy as proxying
from kubelab.engine.apiserver.reads import Reader
from kubelab.engine.apiserver.registry import Registry
from kubelab.engine.apiserver.reviews import Reviews
from kubelab.engine.apiserver.routing import PROXY, Target, parse
from kubelab.engine.apiserver.settings import ApiServerSettings
from kubelab.engine.apiserver.status import (
    StatusError,
    bad_request,
    internal,
    method_not_allowed,
    unauthorized,
    unknown_resource,
)
from kubelab.engine.apiserver.storage import Store, Stored
from kubelab.engine.apiserver.subresources import Subresources
from kubelab.engine.apiserver.times import rfc3339
from kubelab.engine.apiserver.tokens import TokenSigner
from kubelab.engine.apiserver.warned import warning_header
from kubelab.engine.apiserver.watch import WatchHub
from kubelab.engine.apiserver.writes import Writer
from kubelab.engine.client.transport import ApiRequest, ApiResponse

log = logging.getLogger(__name__)

_FOR_COLLECTIONS, _FOR_OBJECTS = ("create", "deletecollection"), ("update", "patch")
_ACROSS_NAMESPACES = ("list", "watch")
_STREAMS = ("exec", "attach", "portforward")
_RELAYED = ("log", *_STREAMS)
_SERVER = User("system:apiserver", (MASTERS,))


class ApiServer:
    """Kubernetes' API over one database. Made by `open`."""

    def __init__(self, store: Store, settings: ApiServerSettings) -> None:
        self.settings = settings
        self._store = store
        self._hub = WatchHub()
        self._signer = TokenSigner(settings.service_account_key, settings.issuer)
        self._authenticator = Authenticator(settings.tokens, self._signer, self._still_there)
        self._authorizer = Authorizer(store)
        self._policies = Policies(store, self._authorizer, lambda: self._definitions.catalogue)
        self._pod_security = PodSecurity(store)
        self._registry = Registry(store, Guard(self._authorizer).check, self._judge)
        self._reader = Reader(store, self._hub, settings.clock)
        self._writer = Writer(self._registry, self._reader, self._authorizer)
        self._subresources = Subresources(self._registry, self._reader, self._signer)
        self._reviews = Reviews(self._authenticator, self._authorizer)
        self._aggregation = Aggregation(store)
        self._account_secrets = AccountSecrets(store, self._signer, settings.ca_pem)
        self._expiry = EventExpiry(store, settings)
        self._definitions = Definitions(
            store,
            delete=self._delete_instance,
            hang_up=self._hub.hang_up,
            timestamp=lambda: rfc3339(settings.clock()),
            own=self._own_status,
        )
        checks = {"ping": lambda: True, "log": lambda: True, "storage": store.is_usable}
        self._inside = nonresource.Inside(checks, ApiMetrics(store))
        self.relay = KubeletRelay(store, settings.kubelet_tls)
        self.proxy = proxying.Proxy(store, self.relay, settings)

    @classmethod
    def open(cls, database: Path | str, settings: ApiServerSettings | None = None) -> ApiServer:
        """Open or make the database (":memory:" keeps nothing) and see that what must be there is there."""
        settings = settings or ApiServerSettings()
        server = cls(Store(database, window=settings.watch_window), settings)
        server._ensure_all()
        server._registry.addresses.mend(settings.clock())
        reconcile(server._store, rfc3339(settings.clock()))
        server._settle()
        return server

    def _ensure_all(self) -> None:
        for rtype, obj in bootstrap.objects():
            self._ensure(rtype, obj)
        self._settle()

    def _settle(self) -> None:
        """What follows from the request that was just answered."""
        self._definitions.settle()
        self._aggregation.settle()
        self._account_secrets.settle()

    def _ensure(self, rtype: r.ResourceType, obj: Object) -> None:
        meta = obj["metadata"]
        key = (meta.get("namespace", ""), meta["name"])
        if self._store.get(rtype.storage_key, key) is None:
            request = ApiRequest("POST", "", (), {"user-agent": "kube-apiserver"})
            call = Call(request, Target(rtype, *key), _SERVER, self.settings.clock(), own=True)
            self._registry.create(call, {"kind": rtype.kind, "apiVersion": rtype.api_version, **obj})

    def _judge(self, call: Call, new: Object | None, old: Object | None) -> None:
        """The last admission plugins, in upstream's order."""
        self._pod_security.check(call, new, old)
        self._policies.check(call, new, old)

    def _delete_instance(self, rtype: r.ResourceType, stored: Stored) -> None:
        """Of a definition that is going."""
        request = ApiRequest("DELETE", "", (), {"user-agent": "kube-apiserver"})
        call = Call(request, Target(rtype, *stored.key), _SERVER, self.settings.clock())
        delete(self._registry, call, stored, {})

    def _own_status(self, obj: Object, old: Object) -> None:
        """Of a definition."""
        request = ApiRequest("PUT", "", (), {"user-agent": "kube-apiserver"})
        target = Target(r.CUSTOMRESOURCEDEFINITIONS, "", obj["metadata"]["name"], r.STATUS.name)
        managed_fields = tracked(Call(request, target, _SERVER, self.settings.clock()), old, obj)
        if managed_fields:
            obj["metadata"]["managedFields"] = managed_fields

    async def close(self) -> None:
        """End every watch and close the database."""
        self._hub.close()
        await self.relay.close()
        self._store.close()

    async def serve(self, sockets: Sequence[socket.socket], tls: ssl.SSLContext | None) -> Serving:
        """Answer on bound sockets (several at once), over TLS unless ``tls`` is None."""
        return await Serving.start(self, sockets, tls)

    # -- requests --------------------------------------------------------------------------------

    async def handle(self, request: ApiRequest) -> ApiResponse:
        """Answer one request. Never raises for a bad one: the answer is a Status."""
        begin = time.perf_counter()
        response = await self._answer_or_status(request)
        if target := parse(request.path, self._definitions.catalogue):
            self._inside.metrics.count(request, target, response.status, time.perf_counter() - begin)
        return response

    async def _answer_or_status(self, request: ApiRequest) -> ApiResponse:
        try:
            return await self._answer(request)
        except StatusError as error:
            return error.response()
        except sqlite3.OperationalError as error:  # nothing has changed: what is not written is not shown either
            log.error("%s %s: the store cannot be used: %s", request.method, request.path, error)
            return internal(f"the cluster's store cannot be used: {error}").response()
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return internal("the request could not be answered; see the engine's log").response()

    def admit(self, request: ApiRequest) -> Call | None:
        """The one door: who asks, in whose name, for what, and that they may. None: for a path that is no resource.

        Raises a 401 or 403 Status.
        """
        now = self.settings.clock()
        user = self._authenticator.user(request.headers, now)
        if user is None:
            raise unauthorized()
        user = impersonated(user, request.headers, self._authorizer)
        target = parse(request.path, self._definitions.catalogue)
        if MASTERS not in user.groups:
            self._authorizer.require(attributes_of(user, request, target))
        return None if target is None else Call(request, target, user, now)

    def upgrade(self, request: ApiRequest) -> Call | None:
        """Like `admit`, for streams into a pod; None: nothing that streams. Who streams has to be allowed to create.

        A websocket's request is a GET, which reading rights would let through; since 1.35 that is not enough.
        """
        call = self.admit(request)
        if call is None or call.target.subresource not in _STREAMS:
            return None
        self._authorizer.require(attributes_to_create(call.user, call.target))
        self._policies.check(call, connection(call), None, "CONNECT")
        return call

    def proxied(self, request: ApiRequest) -> Call | None:
        """Like `admit`, for what is handed on to a Service, pod or node, without its body; None: anything else."""
        target = parse(request.path, self._definitions.catalogue)
        if target is None or target.subresource != PROXY:
            return None
        call = self.admit(request)
        if request.method not in proxying.METHODS:
            raise method_not_allowed(target.rtype)
        if "dryRun" in dict(request.query):
            raise bad_request("dryRun is not supported")
        assert call is not None
        self._policies.check(call, proxying.options(target), None, "CONNECT")
        return call

    async def _answer(self, request: ApiRequest) -> ApiResponse:
        call = self.admit(request)
        if call is None:
            return nonresource.answer(request, self._definitions.catalogue, self._inside)
        target = call.target
        if target.rtype.deprecation:
            call.warnings.append(target.rtype.deprecation)
        try:
            response = await self._dispatch(call)
        except StatusError as refused:  # told with what was noticed before
            response = refused.response()
        self._settle()
        if warned := warning_header(call.warnings):
            response.headers["warning"] = warned
        return response

    async def _dispatch(self, call: Call) -> ApiResponse:
        target, method = call.target, "GET" if call.request.method == "HEAD" else call.request.method
        if target.subresource:
            return await self._subresource(call, method)
        verb = verb_of(method, named=bool(target.name), watch=call.flag("watch"))
        if verb not in target.rtype.verbs or verb in (_FOR_COLLECTIONS if target.name else _FOR_OBJECTS):
            raise _no_such_verb(target.rtype, verb)
        if target.rtype.namespaced and not target.namespace and verb not in _ACROSS_NAMESPACES:
            if target.rtype.custom:
                return nonresource.no_such_page()
            raise method_not_allowed()
        if target.rtype in r.REVIEWS:
            return self._reviews.answer(call)
        return self._verb(call, verb)

    def _verb(self, call: Call, verb: str) -> ApiResponse:
        target = call.target
        if target.rtype.storage_key == r.EVENTS.storage_key:
            self._expiry.sweep()
        match verb:
            case "get":
                return self._reader.get(call, self._registry.get(target.rtype, target.namespace, target.name))
            case "list":
                return self._reader.list(call)
            case "watch":
                return self._reader.watch(call)
            case "create":
                return self._writer.create(call)
            case "update":
                return self._writer.update(call)
            case "patch":
                return self._writer.patch(call)
            case "delete" | "deletecollection":
                response = self._writer.delete(call) if verb == "delete" else self._writer.delete_collection(call)
                self._ensure_all()
                if target.rtype is r.IPADDRESSES:
                    self._registry.addresses.mend(call.now)
                return response
        raise unknown_resource()

    async def _subresource(self, call: Call, method: str) -> ApiResponse:
        target = call.target
        sub = target.rtype.subresource(target.subresource)
        verb = verb_of(method, named=True, watch=False)
        if sub is None or verb not in sub.verbs:
            raise _no_such_verb(target.rtype, verb)
        if sub.name == PROXY:
            raise bad_request("only connections are handed on, and this request came without one")
        if sub.name in _RELAYED:
            return await self.relay.answer(call)
        if sub.name in ("status", "ephemeralcontainers"):
            return self._verb(call, verb)
        return self._subresources.answer(call)

    def _still_there(self, claims: dict[str, Any], token: str) -> bool:
        namespace = claims.get("namespace", "")
        account = claims.get("serviceaccount") or {}
        bound = [(r.SERVICEACCOUNTS, (namespace, account.get("name", "")), account.get("uid"))]
        if "pod" in claims:
            bound.append((r.PODS, (namespace, claims["pod"].get("name", "")), claims["pod"].get("uid")))
        if "secret" in claims:
            bound.append((r.SECRETS, (namespace, claims["secret"].get("name", "")), claims["secret"].get("uid")))
        for rtype, key, uid in bound:
            stored = self._store.get(rtype.storage_key, key)
            if stored is None or (uid is not None and stored.obj["metadata"]["uid"] != uid):
                return False
            if uid is None and not holds_token(stored.obj, token):
                return False
        return True


def _no_such_verb(rtype: r.ResourceType, verb: str) -> StatusError:
    if not rtype.custom:
        return method_not_allowed(rtype)
    return method_not_allowed(rtype, f'{verb} is not supported on resources of kind "{rtype.qualified}"')
