"""Follows the objects, builds the table of routes and has it served.

What changes is collected for a moment and served at once; the moment grows with what the last change cost, so that a
thousand Ingresses that come together are a few changes and not a thousand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kubelab.engine.client import Client, HttpsTransport, Informer, Object
from kubelab.engine.client.resources import ENDPOINTSLICES, INGRESSCLASSES, INGRESSES, SECRETS, SERVICES
from kubelab.engine.ingress.certificates import Certificates
from kubelab.engine.ingress.compile import KeyPair, clusters, listeners, route_configurations
from kubelab.engine.ingress.compile.connections import ready_listener
from kubelab.engine.ingress.files import Configuration, Files
from kubelab.engine.ingress.gateway import GatewayApi
from kubelab.engine.ingress.manifests import NAME, NAMESPACE, PORTS
from kubelab.engine.ingress.reports import Address, Reports
from kubelab.routing import ingress
from kubelab.routing.gateway import gateways
from kubelab.routing.model import Entrance, ObjectName, Table, together
from kubelab.routing.objects import Objects, namespace_of
from kubelab.routing.upstreams import SERVICE_NAME

log = logging.getLogger("kubelab.engine.ingress")

COLLECT_SECONDS = 0.01
REST_AFTER_WORK = 1.0
"""How long to collect changes, as a share of what the last round took."""

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

GATEWAY_API_SECONDS = 10.0

_FOLLOWED = (INGRESSES, INGRESSCLASSES, SERVICES, ENDPOINTSLICES, SECRETS)


class Settings(NamedTuple):
    """Where the controller stands."""

    folder: Path
    """Envoy's files."""
    service: tuple[str, str] = (NAMESPACE, NAME)
    """The Service whose addresses are written into the Ingresses' status."""


class Controller:
    """Run it with ``await run()``, which ends by cancellation only."""

    def __init__(self, client: Client, settings: Settings, files: Files) -> None:
        self._settings = settings
        self._files = files
        self._informers = {resource.kind: Informer(client, resource) for resource in _FOLLOWED}
        self._reports = Reports(client, self._informers)
        self._certificates = Certificates()
        self._gateway_api = GatewayApi(client, self._informers["Service"], self._on_change)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled."""
        default = await default_certificate(self._settings.folder)
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                group.create_task(informer.run())
            for informer in self._informers.values():
                await informer.synced()
                informer.listen(self._on_change)
            group.create_task(self._gateway_api.run())
            await self._gateway_api_known()
            group.create_task(self._reports.run())
            while True:
                await self._changed.wait()
                await asyncio.sleep(COLLECT_SECONDS)
                self._changed.clear()
                begin = time.monotonic()
                await self._serve(default)
                await asyncio.sleep((time.monotonic() - begin) * REST_AFTER_WORK)

    def _on_change(self, old: Object | None, new: Object | None) -> None:
        if old is None or new is None or _what_counts(old) != _what_counts(new):
            self._changed.set()

    async def _gateway_api_known(self) -> None:
        """Wait for it, so that a new controller serves at once what its predecessor did, but not for ever."""
        try:
            async with asyncio.timeout(GATEWAY_API_SECONDS):
                await self._gateway_api.kinds.synced()
        except TimeoutError:
            log.error("the Gateway API's kinds cannot be read; Ingresses are served meanwhile")

    async def _serve(self, default: KeyPair) -> None:
        known = self._known()
        ingresses, beside = ingress.table(known), gateways(known, usable=self._certificates.usable)
        self._gateway_api.open(known, beside)
        table = together(ingresses, self._with_ports(beside.table))
        problems = self._certificates.read(table, self._secrets())
        accepted = await self._files.serve(self._configuration(table, default))
        if accepted:
            self._reports.update(ingresses.served, (*table.problems, *problems), self._address())
        self._gateway_api.tell(known, beside, accepted)

    def _known(self) -> Objects:
        known = {kind: informer.all() for kind, informer in self._informers.items()}
        kinds = ("Namespace", "GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant")
        beside = [self._gateway_api.kinds.all(kind) for kind in kinds]
        return Objects(*(known[each.kind] for each in _FOLLOWED), *beside)

    def _with_ports(self, table: Table) -> Table:
        return replace(table, entrances=tuple(each for each in table.entrances if self._gateway_api.port_of(each)))

    def _port_of(self, entrance: Entrance) -> int:
        return self._gateway_api.port_of(entrance) or port_of(entrance)

    def _configuration(self, table: Table, default: KeyPair) -> Configuration:
        made = route_configurations(table)
        folder = self._settings.folder
        names = {each: (str(folder / _file(routes)), routes["name"]) for each, routes in made.items()}
        serving = listeners(table, names, self._certificates.good, default, self._port_of)
        routes = {_file(each): each for each in made.values()}
        return Configuration([ready_listener(), *serving], routes, clusters(table))

    def _secrets(self) -> dict[ObjectName, dict[str, str]]:
        secrets = self._informers["Secret"].all()
        return {ObjectName("Secret", namespace_of(each), each["metadata"]["name"]): each.get("data") or {}
                for each in secrets}  # fmt: skip

    def _address(self) -> list[Address]:
        """What the Ingresses' status is to say: the load balancer's own words, as soon as a pod of ours is ready."""
        if not any(map(_has_ready, self._slices_of(*self._settings.service))):
            return []
        service = self._informers["Service"].get(*self._settings.service) or {}
        given = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        kinds = ("ip", "hostname")
        return [{kind: each[kind] for kind in kinds if each.get(kind)} for each in given]

    def _slices_of(self, namespace: str, service: str) -> Iterable[Object]:
        slices = self._informers["EndpointSlice"].all(namespace)
        return (each for each in slices if (each["metadata"].get("labels") or {}).get(SERVICE_NAME) == service)


def _has_ready(slice_: Object) -> bool:
    return any((each.get("conditions") or {}).get("ready") is not False for each in slice_.get("endpoints") or ())


def _what_counts(obj: Object) -> tuple[object, ...]:
    """Of an object with a generation not its status, which this controller writes itself."""
    meta = obj["metadata"]
    return meta.get("generation") or meta["resourceVersion"], meta.get("annotations")


def port_of(entrance: Entrance) -> int:
    """The pod's port for an entrance of all Ingresses."""
    return next(number for _, port, number in PORTS if port == entrance.port)


def _file(routes: Object) -> str:
    return f"routes-{quote(routes['name'], safe='')}.json"


async def default_certificate(folder: Path) -> KeyPair:
    """The one that a predecessor left, or a fresh one."""
    file = folder / "default.pem"
    if not file.exists():
        argv = (sys.executable, "-m", "kubelab.engine.ingress", "default-certificate")
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
        if process.returncode:
            raise OSError(f"no default certificate: code {process.returncode}")
        fresh = file.with_suffix(".new")
        fresh.write_bytes(printed)
        fresh.rename(file)
    certificate, mark, key = file.read_text().partition("-----BEGIN PRIVATE KEY-----")
    return KeyPair(certificate, mark + key)


def main(folder: Path) -> int:
    """Control until SIGTERM. The exit code: 1 when the pod lacks what it needs."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s", stream=sys.stdout)
    try:
        asyncio.run(_run(folder))
    except (KeyError, OSError) as error:
        log.error("the controller cannot go on: %s", error)
        return 1
    return 0


async def _run(folder: Path) -> None:
    client = in_cluster_client()
    controller = asyncio.create_task(Controller(client, Settings(folder), Files(folder)).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, controller.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await controller
    finally:
        await client.close()


def in_cluster_client() -> Client:
    """The API by the address and the credentials that every pod is given."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    token = SERVICE_ACCOUNT / "token"
    ca_file = str(SERVICE_ACCOUNT / "ca.crt")
    return Client(HttpsTransport(f"https://{host}:{port}", ca_file=ca_file, token=token, user_agent=NAME))
