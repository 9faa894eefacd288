"""NetworkPolicies."""

from __future__ import annotations

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.kinds.base import Kind, fill
from kubelab.engine.apiserver.validation.fields import FieldError
from kubelab.engine.apiserver.validation.netpol import ambiguous_blocks, network_policy_spec


class NetworkPolicyKind(Kind):
    """A NetworkPolicy: without types it is of the directions that it has rules for, and always of Ingress."""

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
            for port in rule.get("ports") or []:
                fill(port, protocol="TCP")

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1

    def validate(self, obj: Object) -> list[FieldError]:
        return network_policy_spec(obj["spec"])

    def warnings(self, obj: Object) -> list[str]:
        return ambiguous_blocks(obj["spec"])
