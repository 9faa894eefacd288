"""A container's environment: Services, envFrom, env (kubernetes.io: "Define Environment Variables for a Container")."""

from __future__ import annotations

from collections.abc import Iterable

from kubelab.engine.client import Object
from kubelab.engine.node import fields
from kubelab.engine.node.expansion import expand
from kubelab.engine.node.machine import Machine
from kubelab.engine.node.sources import MissingSource, Reference, Sources


async def environment(pod: Object, container: Object, sources: Sources, machine: Machine) -> dict[str, str]:
    """Every variable, in kubelet's order. Raises `MissingSource` and `fields.UnknownField`."""
    namespace = pod["metadata"]["namespace"]
    links = pod["spec"].get("enableServiceLinks", True)
    offered = service_variables(_visible_services(sources, namespace, links))
    values: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        values.update(await _all_of(source, namespace, sources))
    for variable in container.get("env") or ():
        if "valueFrom" in variable:
            value = await _value_from(variable["valueFrom"], pod, container, sources, machine)
        else:
            value = expand(variable.get("value") or "", {**offered, **values})
        if value is not None:
            values[variable["name"]] = value
    for name, value in values.items():
        if "\0" in value:
            raise fields.UnknownField(f'environment variable "{name}" contains nul byte')
    return {**offered, **values}


def _visible_services(sources: Sources, namespace: str, links: bool) -> Iterable[Object]:
    own = sources.services(namespace) if links else []
    if not (links and namespace == "default"):
        own = [*(each for each in sources.services("default") if each["metadata"]["name"] == "kubernetes"), *own]
    return own


def service_variables(services: Iterable[Object]) -> dict[str, str]:
    """``WEB_SERVICE_HOST`` and the rest, Docker links included (kubernetes.io: Service, "Environment variables")."""
    values: dict[str, str] = {}
    for service in services:
        ip, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or []
        if not ip or ip == "None" or not ports:
            continue
        name = _upper(service["metadata"]["name"])
        values[f"{name}_SERVICE_HOST"] = ip
        values[f"{name}_SERVICE_PORT"] = str(ports[0]["port"])
        for port in ports:
            if port.get("name"):
                values[f"{name}_SERVICE_PORT_{_upper(port['name'])}"] = str(port["port"])
        for index, port in enumerate(ports):
            values.update(_links(name, ip, port, first=index == 0))
    return values


def _links(name: str, ip: str, port: Object, *, first: bool) -> dict[str, str]:
    protocol, number = port.get("protocol") or "TCP", port["port"]
    url = f"{protocol.lower()}://{ip}:{number}"
    prefix = f"{name}_PORT_{number}_{protocol}"
    links = {f"{name}_PORT": url} if first else {}
    return links | {
        prefix: url,
        f"{prefix}_PROTO": protocol.lower(),
        f"{prefix}_PORT": str(number),
        f"{prefix}_ADDR": ip,
    }


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


async def _all_of(source: Object, namespace: str, sources: Sources) -> dict[str, str]:
    kind = "ConfigMap" if "configMapRef" in source else "Secret"
    selector = source.get("configMapRef") or source.get("secretRef") or {}
    try:
        data = await sources.data(Reference(kind, namespace, selector.get("name", "")), binary=False)
    except MissingSource:
        if selector.get("optional"):
            return {}
        raise
    prefix = source.get("prefix") or ""
    return {prefix + key: value.decode(errors="replace") for key, value in data.items()}


async def _value_from(source: Object, pod: Object, container: Object, sources: Sources, machine: Machine) -> str | None:
    if "fieldRef" in source:
        return fields.field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        selector = source["resourceFieldRef"]
        about = _container(pod, selector.get("containerName")) or container
        return fields.resource(about, selector["resource"], str(selector.get("divisor") or "1"), machine)
    kind = "ConfigMap" if "configMapKeyRef" in source else "Secret"
    selector = source.get("configMapKeyRef") or source.get("secretKeyRef")
    if selector is None:
        raise fields.UnknownField(f"kubelab has no env source {', '.join(source)}")
    reference = Reference(kind, pod["metadata"]["namespace"], selector.get("name", ""))
    try:
        data = await sources.data(reference, binary=False)
        if selector["key"] not in data:
            where = f"{reference.namespace}/{reference.name}"
            raise MissingSource(f"couldn't find key {selector['key']} in {kind} {where}", reference)
    except MissingSource:
        if selector.get("optional"):
            return None
        raise
    return data[selector["key"]].decode(errors="replace")


def _container(pod: Object, name: str | None) -> Object | None:
    every = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    return next((each for each in every if each["name"] == name), None)
