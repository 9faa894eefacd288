"""ServiceCIDRs and IPAddresses: the ranges of Service addresses, and which of them is whose.

Source: https://kubernetes.io/docs/reference/networking/service-cidr/ (KEP-1880, stable since 1.33)
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind
from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, forbidden, immutable, invalid, required
from kubelab.engine.config import SERVICE_CIDR

THE_ONE = "kubernetes"
"""The ServiceCIDR that a cluster is born with."""
_ONLY_ONE = (
    f"this cluster's network carries Service addresses of {SERVICE_CIDR} only, which the ServiceCIDR "
    f"'{THE_ONE}' hands out already: no other range can be added"
)


class ServiceCIDRKind(Kind):
    """A range of addresses for Services."""

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {})

    def prepare_create(self, obj: Object) -> None:
        ready = {"type": "Ready", "status": "True", "reason": "", "message": "Services get addresses from it"}
        obj["status"] = {"conditions": [{**ready, "lastTransitionTime": obj["metadata"]["creationTimestamp"]}]}

    def validate(self, obj: Object) -> list[FieldError]:
        cidrs = obj["spec"].get("cidrs") or []
        if not cidrs:
            return [required("spec.cidrs", "at least one CIDR required")]
        if len(cidrs) > 2:
            return [invalid("spec.cidrs", obj["spec"], "may only hold up to 2 values")]
        errors: list[FieldError] = []
        for index, text in enumerate(cidrs):
            problems = names.cidr(text)
            if not problems and str(whole := ip_network(text, strict=False)) != text:
                problems = [f'must be in canonical form ("{whole}")']
            errors += [invalid(f"spec.cidrs[{index}]", text, problem) for problem in problems]
        if not errors and len({ip_network(text).version for text in cidrs}) < len(cidrs):
            why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            errors.append(invalid("spec.cidrs", cidrs, why))
        return errors

    def validate_create(self, obj: Object) -> list[FieldError]:
        return [] if obj["metadata"].get("name") == THE_ONE else [forbidden("spec.cidrs", _ONLY_ONE)]

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("spec.cidrs", new["spec"].get("cidrs"), old["spec"].get("cidrs"))


class IPAddressKind(Kind):
    """An IPAddress: its name is the address, and who has it never changes."""

    def name_rule(self, name: str) -> list[str]:
        problems = names.ip_address(name)
        if not problems and str(ip_address(name)) != name:
            problems = [f'must be in canonical form ("{ip_address(name)}")']
        return problems

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {})

    def validate(self, obj: Object) -> list[FieldError]:
        parent = obj["spec"].get("parentRef")
        if parent is None:
            return [required("spec.parentRef")]
        errors: list[FieldError] = []
        for member in ("resource", "name"):
            text = parent.get(member) or ""
            errors += names.all_of(f"spec.parentRef.{member}", text, names.path_segment(text))
        if parent.get("group"):
            errors += [
                invalid("spec.parentRef.group", parent["group"], problem)
                for problem in names.dns1123_subdomain(parent["group"])
            ]
        if parent.get("namespace"):
            errors += [
                invalid("spec.parentRef.namespace", parent["namespace"], problem)
                for problem in names.path_segment(parent["namespace"])
            ]
        return errors

    def validate_update(self, new: Object, old: Object) -> list[FieldError]:
        return immutable("spec.parentRef", new["spec"].get("parentRef"), old["spec"].get("parentRef"))
