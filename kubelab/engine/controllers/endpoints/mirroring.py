"""EndpointSlices for Endpoints that people wrote by hand, since kube-proxy reads slices only.

Of the Services without a selector; one slice for each set of ports and address family, at most 1,000 addresses of a
subset. https://kubernetes.io/docs/concepts/services-networking/service/#endpointslice-mirroring
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import NamedTuple

from kubelab.engine.client import ApiError, Client, Key, Object, WorkQueue, is_not_found, key_of
from kubelab.engine.client.resources import ENDPOINTS, ENDPOINTSLICES, SERVICES
from kubelab.engine.controllers.endpoints.slices import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, port_key
from kubelab.engine.controllers.events import BackgroundEvents
from kubelab.engine.controllers.informers import SharedInformers
from kubelab.engine.controllers.labels import annotations_of, labels_of
from kubelab.engine.controllers.owners import controller_reference, is_being_deleted

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
MOST_OF_A_SUBSET = 1000
_NOT_COPIED = ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")


class EndpointSliceMirroringController:
    """Keeps the mirrored slices equal to their Endpoints."""

    def __init__(self, client: Client, informers: SharedInformers) -> None:
        self._client = client
        self._events = BackgroundEvents(client, "endpoint-slice-mirroring-controller")
        self._queue: WorkQueue[Key] = WorkQueue("endpointslice mirroring", self._reconcile)
        self._services = informers[SERVICES]
        self._endpoints = informers[ENDPOINTS]
        self._slices = informers[ENDPOINTSLICES]
        for informer in (self._services, self._endpoints):
            informer.listen(lambda old, new: self._queue.add(key_of(new or old or {})))
        self._slices.listen(self._slice_changed)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run())
            group.create_task(self._events.run())

    def _slice_changed(self, old: Object | None, new: Object | None) -> None:
        each = new or old or {}
        if _is_ours(each):
            self._queue.add((each["metadata"]["namespace"], labels_of(each)[SERVICE_NAME_LABEL]))

    async def _reconcile(self, key: Key) -> None:
        service, endpoints = self._services.get(*key), self._endpoints.get(*key)
        existing = [
            each
            for each in self._slices.all(key[0])
            if _is_ours(each) and labels_of(each)[SERVICE_NAME_LABEL] == key[1] and not is_being_deleted(each)
        ]
        wanted: list[Object] = []
        if service is not None and not service["spec"].get("selector") and is_mirrored(endpoints):
            assert endpoints is not None
            mirrored = mirror(endpoints)
            wanted = mirrored.slices
            self._complain(endpoints, mirrored)
        await self._write(existing, wanted)

    def _complain(self, endpoints: Object, mirrored: Mirrored) -> None:
        if mirrored.invalid:
            message = f"Skipped {mirrored.invalid} invalid IP addresses when mirroring to EndpointSlices"
            self._events.record(endpoints, "InvalidIPAddress", message, warning=True)
        if mirrored.skipped:
            message = (
                f"A max of {MOST_OF_A_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. "
                f"{mirrored.skipped} addresses were skipped"
            )
            self._events.record(endpoints, "TooManyAddressesToMirror", message, warning=True)

    async def _write(self, existing: list[Object], wanted: list[Object]) -> None:
        """A slice of the same ports keeps its name; of the others those of the same family are used again."""
        left = list(existing)
        for wish in sorted(wanted, key=lambda wish: all(_kind(each) != _kind(wish) for each in existing)):
            known = next((each for each in left if _kind(each) == _kind(wish)), None) or next(
                (each for each in left if each["addressType"] == wish["addressType"]), None
            )
            if known is None:
                self._slices.wrote(await self._client.create(ENDPOINTSLICES, wish))
                continue
            left.remove(known)
            if _said(known) != _said(wish):
                metadata = {**known["metadata"], **_without_name(wish["metadata"])}
                changed = await self._client.update(ENDPOINTSLICES, {**wish, "metadata": metadata})
                self._slices.wrote(changed)
        for each in left:
            await self._delete(each)

    async def _delete(self, each: Object) -> None:
        meta = each["metadata"]
        try:
            await self._client.delete(ENDPOINTSLICES, meta["name"], meta["namespace"], uid=meta["uid"])
        except ApiError as error:
            if not is_not_found(error) and error.code != 409:
                raise


class Mirrored(NamedTuple):
    """The slices for Endpoints, and how many addresses found no place in them."""

    slices: list[Object]
    invalid: int
    skipped: int


def is_mirrored(endpoints: Object | None) -> bool:
    """Whether anybody wants these mirrored: not those that say no, nor those that only elect a leader."""
    if endpoints is None or is_being_deleted(endpoints):
        return False
    return labels_of(endpoints).get(SKIP_LABEL) != "true" and LEADER_ANNOTATION not in annotations_of(endpoints)


def mirror(endpoints: Object) -> Mirrored:
    """What the slices for Endpoints should say."""
    invalid = skipped = 0
    found: dict[tuple[str, str], Object] = {}
    for subset in endpoints.get("subsets") or ():
        ports = [{"name": "", **port} for port in subset.get("ports") or ()]
        listed = [(each, True) for each in subset.get("addresses") or ()]
        listed += [(each, False) for each in subset.get("notReadyAddresses") or ()]
        valid = [(each, ready) for each, ready in listed if _family(each["ip"])]
        invalid += len(listed) - len(valid)
        skipped += max(0, len(valid) - MOST_OF_A_SUBSET)
        for address, ready in valid[:MOST_OF_A_SUBSET]:
            family = _family(address["ip"])
            slice_ = found.setdefault((family, port_key(ports)), _new_slice(endpoints, family, ports))
            slice_["endpoints"].append(_endpoint(address, ready))
    return Mirrored(list(found.values()), invalid, skipped)


def _new_slice(endpoints: Object, family: str, ports: list[Object]) -> Object:
    meta = endpoints["metadata"]
    annotations = {key: value for key, value in annotations_of(endpoints).items() if key not in _NOT_COPIED}
    return {
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": {**labels_of(endpoints), SERVICE_NAME_LABEL: meta["name"], MANAGED_BY_LABEL: MANAGER},
            **({"annotations": annotations} if annotations else {}),
            "ownerReferences": [controller_reference(endpoints, ENDPOINTS)],
        },
        "addressType": family,
        "ports": ports,
        "endpoints": [],
    }


def _endpoint(address: Object, ready: bool) -> Object:
    endpoint: Object = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    return endpoint | {name: address[name] for name in ("hostname", "nodeName", "targetRef") if address.get(name)}


def _family(ip: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(ip).version}"
    except ValueError:
        return ""


def _is_ours(each: Object) -> bool:
    labels = labels_of(each)
    return labels.get(MANAGED_BY_LABEL) == MANAGER and SERVICE_NAME_LABEL in labels


def _kind(each: Object) -> tuple[str, str]:
    return each["addressType"], port_key(each.get("ports"))


def _without_name(metadata: Object) -> Object:
    return {"annotations": {}, **{key: value for key, value in metadata.items() if key != "generateName"}}


def _said(each: Object) -> tuple[object, ...]:
    owners = [reference["uid"] for reference in each["metadata"].get("ownerReferences") or ()]
    return _kind(each), each.get("endpoints") or [], labels_of(each), annotations_of(each), owners
