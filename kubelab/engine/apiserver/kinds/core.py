"""The smaller kinds: namespaces, nodes, configuration, endpoints, leases."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill, keep
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import (
    FieldError,
    duplicate,
    forbidden,
    immutable,
    invalid,
    not_supported,
    one_of,
    required,
)
from kubelab.engine.apiserver.validation.secret import secret_type

LARGEST_DATA = 1024 * 1024
MOST_HINTS = 8
"""Zones, or nodes, that one endpoint of a slice can be meant for."""


class NamespaceKind(Kind):
    """A namespace: Active until it is deleted, held by the finalizer in its spec until it is empty."""

    def name_rule(self, name: str) -> list[str]:
        return names.dns1123_label(name)

    def default(self, obj: Object) -> None:
        meta = obj["metadata"]
        if meta.get("name"):
            meta.setdefault("labels", {})["kubernetes.io/metadata.name"] = meta["name"]

    def prepare_create(self, obj: Object) -> None:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        keep(new, old, "spec")


class NodeKind(Kind):
    """A node, as its agent describes it."""

    def prepare_create(self, obj: Object) -> None:
        """An agent may bring the status along when it registers."""
        obj.setdefault("spec", {})
        obj.setdefault("status", {})

    def validate(self, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, taint in enumerate((obj.get("spec") or {}).get("taints") or []):
            here = f"spec.taints[{index}]"
            errors += names.all_of(f"{here}.key", taint.get("key"), names.qualified_name(taint.get("key", "")))
            errors += one_of(f"{here}.effect", taint.get("effect"), ("NoExecute", "NoSchedule", "PreferNoSchedule"))
        return errors

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        before, after = (old.get("spec") or {}).get("podCIDR"), (new.get("spec") or {}).get("podCIDR")
        if before and after != before:
            return [forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')]
        return []


class DataKind(Kind):
    """ConfigMaps and Secrets: named pieces of data, which can be frozen."""

    def default(self, obj: Object) -> None:
        if self.rtype.kind == "Secret":
            fill(obj, type="Opaque")

    def prepare_create(self, obj: Object) -> None:
        self._merge_string_data(obj)

    def prepare_update(self, new: Object, old: Object) -> None:
        self._merge_string_data(new)
        if "type" in old:
            fill(new, type=old["type"])

    @staticmethod
    def _merge_string_data(obj: Object) -> None:
        plain = obj.pop("stringData", None)
        if plain:
            encoded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
            obj["data"] = {**(obj.get("data") or {}), **encoded}

    def validate(self, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        size = 0
        for member in ("data", "binaryData"):
            for key, value in (obj.get(member) or {}).items():
                errors += [invalid(f"{member}[{key}]", key, why) for why in names.config_key(key)]
                size += len(value.encode())
        for key in obj.get("binaryData") or {}:
            if key in (obj.get("data") or {}):
                errors.append(invalid(f"data[{key}]", key, "duplicate of key present in binaryData"))
        if size > LARGEST_DATA * (4 / 3 if self.rtype.kind == "Secret" else 1):
            where = "data" if self.rtype.kind == "Secret" else "[]"
            why = f"may not be more than {LARGEST_DATA} bytes"
            errors.append(FieldError("FieldValueTooLong", where, None, why))
        return errors + (secret_type(obj) if self.rtype.kind == "Secret" else [])

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        errors = immutable("type", new.get("type"), old.get("type"))
        if not old.get("immutable"):
            return errors
        if not new.get("immutable"):
            errors.append(forbidden("immutable", "field is immutable when `immutable` is set"))
        for member in ("data", "binaryData"):
            if (new.get(member) or {}) != (old.get(member) or {}):
                errors.append(forbidden(member, "field is immutable when `immutable` is set"))
        return errors


class EndpointsKind(Kind):
    """Endpoints, deprecated since 1.33 in favour of EndpointSlices."""

    def default(self, obj: Object) -> None:
        for subset in obj.get("subsets") or []:
            for port in subset.get("ports") or []:
                fill(port, protocol="TCP")

    def validate(self, obj: Object) -> list[FieldError]:
        errors: list[FieldError] = []
        for index, subset in enumerate(obj.get("subsets") or []):
            here = f"subsets[{index}]"
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                errors.append(required(here, "must specify `addresses` or `notReadyAddresses`"))
            for member in ("addresses", "notReadyAddresses"):
                for number, address in enumerate(subset.get(member) or []):
                    ip = address.get("ip", "")
                    problems = names.ip_address(ip) or names.special_ip_address(ip)
                    errors += [invalid(f"{here}.{member}[{number}].ip", ip, why) for why in problems]
            errors += _endpoint_ports(subset.get("ports") or [], f"{here}.ports", named=True)
        return errors


class EndpointSliceKind(Kind):
    """An EndpointSlice."""

    def default(self, obj: Object) -> None:
        for port in obj.get("ports") or []:
            fill(port, protocol="TCP")
            port.setdefault("name", "")

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1
        obj.setdefault("endpoints", [])

    def prepare_update(self, new: Object, old: Object) -> None:
        new.setdefault("endpoints", [])

    def spec_changed(self, new: Object, old: Object) -> bool:
        labels = new["metadata"].get("labels") != old["metadata"].get("labels")
        return labels or any(new.get(member) != old.get(member) for member in ("endpoints", "ports", "addressType"))

    def validate(self, obj: Object) -> list[FieldError]:
        family = obj.get("addressType", "")
        errors = one_of("addressType", family, ("FQDN", "IPv4", "IPv6"))
        endpoints = obj.get("endpoints") or []
        if len(endpoints) > 1000:
            errors.append(FieldError("FieldValueTooMany", "endpoints", len(endpoints), "must have at most 1000 items"))
        for index, endpoint in enumerate(endpoints):
            errors += _slice_endpoint(endpoint, family, f"endpoints[{index}]")
        return errors + _endpoint_ports(obj.get("ports") or [], "ports", named=False)

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("addressType", new.get("addressType"), old.get("addressType"))


def _slice_endpoint(endpoint: Any, family: str, here: str) -> list[FieldError]:
    addresses = endpoint.get("addresses") or []
    errors: list[FieldError] = []
    if not addresses:
        errors.append(required(f"{here}.addresses", "must contain at least 1 address"))
    elif len(addresses) > 100:
        why = "must have at most 100 items"
        errors.append(FieldError("FieldValueTooMany", f"{here}.addresses", len(addresses), why))
    for number, address in enumerate(addresses):
        errors += _slice_address(address, family, f"{here}.addresses[{number}]")
    for member, rule in (("nodeName", names.dns1123_subdomain), ("hostname", names.dns1123_label)):
        if (name := endpoint.get(member)) is not None:
            errors += [invalid(f"{here}.{member}", name, why) for why in rule(name)]
    for member, rule in (("forZones", names.qualified_name), ("forNodes", names.dns1123_subdomain)):
        errors += _hints((endpoint.get("hints") or {}).get(member) or [], f"{here}.hints.{member}", rule)
    return errors


def _hints(hints: list[Any], at: str, rule: Callable[[str], list[str]]) -> list[FieldError]:
    if len(hints) > MOST_HINTS:
        return [FieldError("FieldValueTooMany", at, len(hints), f"must have at most {MOST_HINTS} items")]
    told = [hint.get("name", "") for hint in hints]
    errors: list[FieldError] = []
    for index, name in enumerate(told):
        if name in told[:index]:
            errors.append(duplicate(f"{at}[{index}].name", name))
        errors += [invalid(f"{at}[{index}].name", name, why) for why in rule(name)]
    return errors


def _slice_address(address: str, family: str, here: str) -> list[FieldError]:
    if family == "FQDN":
        return [invalid(here, address, why) for why in names.dns1123_subdomain(address)]
    problems = names.ip_address(address)
    if not problems and (":" in address) != (family == "IPv6"):
        problems = [f"must be a valid {family} address"]
    problems = problems or names.special_ip_address(address)
    return [invalid(here, address, why) for why in problems]


def _endpoint_ports(ports: list[Any], at: str, *, named: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, port in enumerate(ports):
        here, name = f"{at}[{index}]", port.get("name", "")
        if name:
            errors += [invalid(f"{here}.name", name, why) for why in names.dns1123_label(name)]
        elif named and len(ports) > 1:
            errors.append(required(f"{here}.name"))
        if not named and any(name == other.get("name", "") for other in ports[:index]):
            errors.append(duplicate(f"{here}.name", name))
        if port.get("protocol") not in ("TCP", "UDP", "SCTP"):
            errors.append(not_supported(f"{here}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP")))
        if named or "port" in port:
            errors += [
                invalid(f"{here}.port", port.get("port", 0), why) for why in names.port_number(port.get("port", 0))
            ]
        if protocol := port.get("appProtocol"):
            errors += [invalid(f"{here}.appProtocol", protocol, why) for why in names.qualified_name(protocol)]
    return errors


class LeaseKind(Kind):
    """A lease: who holds it, and for how long."""

    def validate(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = []
        if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
            errors.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
        return errors
