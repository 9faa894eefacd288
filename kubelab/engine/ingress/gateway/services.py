"""A Gateway's address: a Service of type LoadBalancer in the controller's namespace, which leads to its pod."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from kubelab.engine.client import Client, Informer, Object, WorkQueue, already_exists, is_not_found, key_of
from kubelab.engine.client.resources import SERVICES
from kubelab.engine.ingress.gateway.ports import GatewayPort
from kubelab.engine.ingress.manifests import NAME, NAMESPACE
from kubelab.routing.model import ObjectName

GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
"""The label that every implementation puts on what it makes for a Gateway (GEP-1762)."""
GATEWAY = "kubelab.dev/gateway"
"""The annotation with the Gateway's namespace and name."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "kubelab-gateway-controller"}

IP_ADDRESS = "IPAddress"
_LONGEST_NAME = 63


class Services:
    """Creates, changes and deletes the Services of Gateways. Run it with ``await run()``."""

    def __init__(self, client: Client, informer: Informer) -> None:
        """``informer``: that of all Services."""
        self._client = client
        self._informer = informer
        self._wanted: Mapping[str, Object] = {}
        self._queue: WorkQueue[str] = WorkQueue("services of Gateways", self._keep, workers=2)

    async def run(self) -> None:
        """Keep them until cancelled."""
        await self._queue.run()

    def want(self, wanted: Iterable[Object]) -> None:
        """These are to be there, and no others of ours."""
        self._wanted = {each["metadata"]["name"]: each for each in wanted}
        for name in self._wanted.keys() | {each["metadata"]["name"] for each in self.known()}:
            if self._difference(name) is not None:
                self._queue.add(name)

    def known(self) -> list[Object]:
        """Those that are there."""
        return [each for each in self._informer.all(NAMESPACE) if gateway_of(each) is not None]

    def of(self, gateway: ObjectName) -> Object | None:
        """That of a Gateway."""
        found = self._informer.get(NAMESPACE, service_name(gateway))
        return found if found and gateway_of(found) == gateway else None

    def _difference(self, name: str) -> Object | None:
        """What is to be written: the new object, or one without a ``spec`` when it is to go; None: all is well."""
        there, wanted = self._informer.get(NAMESPACE, name), self._wanted.get(name)
        if there is None:
            return wanted
        if gateway_of(there) is None or there["metadata"].get("deletionTimestamp"):
            return None
        if wanted is None:
            return {"metadata": there["metadata"]}
        new = merged(there, wanted)
        return new if new != there else None

    async def _keep(self, name: str) -> None:
        new = self._difference(name)
        if new is None:
            return
        try:
            if "spec" not in new:
                await self._client.delete(SERVICES, name, NAMESPACE, uid=new["metadata"]["uid"])
            elif "resourceVersion" in new["metadata"]:
                self._informer.wrote(await self._client.update(SERVICES, new))
            else:
                self._informer.wrote(await self._client.create(SERVICES, new))
        except Exception as error:
            if not (is_not_found(error) or already_exists(error)):
                raise  # the informer will tell of both, and a conflict is tried again


def service(gateway: Object, ports: Mapping[int, int]) -> Object:
    """What a Gateway's Service is to be; ``ports``: the listeners' ports → the pod's."""
    namespace, name = key_of(gateway)
    infrastructure = gateway["spec"].get("infrastructure") or {}
    own = {GATEWAY_NAME: name[:_LONGEST_NAME].rstrip("-."), **MANAGED_BY}
    spec: Object = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "selector": {"app.kubernetes.io/name": NAME},
        "ports": [
            {"name": f"port-{port}", "port": port, "targetPort": target, "protocol": "TCP"}
            for port, target in sorted(ports.items())
        ],
    }
    if asked := asked_address(gateway):
        spec["loadBalancerIP"] = asked
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service_name(ObjectName("Gateway", namespace, name)),
            "namespace": NAMESPACE,
            "labels": {**(infrastructure.get("labels") or {}), **own},
            "annotations": {**(infrastructure.get("annotations") or {}), GATEWAY: f"{namespace}/{name}"},
        },
        "spec": spec,
    }


def asked_address(gateway: Object) -> str:
    """The IP address that a Gateway asks for; empty: any."""
    for each in gateway["spec"].get("addresses") or ():
        if each.get("type", IP_ADDRESS) == IP_ADDRESS and each.get("value"):
            return str(each["value"])
    return ""


def service_name(gateway: ObjectName) -> str:
    """``gateway-default-edge``; with a hash where that would be too long, or could mean another Gateway too."""
    plain = f"gateway-{gateway.namespace}-{gateway.name.replace('.', '-')}"
    if len(plain) <= _LONGEST_NAME and "-" not in gateway.namespace and "." not in gateway.name:
        return plain
    mark = hashlib.sha256(f"{gateway.namespace}/{gateway.name}".encode()).hexdigest()[:8]
    return f"{plain[: _LONGEST_NAME - len(mark) - 1]}-{mark}"


def gateway_of(service: Object) -> ObjectName | None:
    """Whose Service it is; None: no Gateway's."""
    namespace, mark, name = (service["metadata"].get("annotations") or {}).get(GATEWAY, "").partition("/")
    return ObjectName("Gateway", namespace, name) if mark else None


def written_ports(services: Iterable[Object]) -> dict[GatewayPort, int]:
    """The pod's ports that stand in these Services."""
    return {
        (gateway, port["port"]): port["targetPort"]
        for each in services
        if (gateway := gateway_of(each)) is not None
        for port in each["spec"].get("ports") or ()
        if isinstance(port.get("targetPort"), int)
    }


def merged(there: Object, wanted: Object) -> Object:
    """The Service as it is, with what is wanted of it; node ports and what others wrote on it stay."""
    meta, spec = there["metadata"], wanted["spec"]
    known = {each["port"]: each for each in there["spec"].get("ports") or ()}
    new_spec = {**{name: value for name, value in there["spec"].items() if name != "loadBalancerIP"}, **spec}
    new_spec["ports"] = [{**_kept(known.get(each["port"])), **each} for each in spec["ports"]]
    new_meta = {
        **meta,
        "labels": {**(meta.get("labels") or {}), **wanted["metadata"]["labels"]},
        "annotations": {**(meta.get("annotations") or {}), **wanted["metadata"]["annotations"]},
    }
    return {**there, "metadata": new_meta, "spec": new_spec}


def _kept(port: Object | None) -> Object:
    return {"nodePort": port["nodePort"]} if port and "nodePort" in port else {}
