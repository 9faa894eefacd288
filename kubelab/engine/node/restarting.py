"""Whether a container that has ended is started again."""

from __future__ import annotations

from kubelab.engine.client import Object
from kubelab.engine.node.records import ContainerRecord


def wants_restart(record: ContainerRecord, pod_policy: str, code: int) -> bool:
    """By its own rules and policy, else by its pod's (KEP-753 for init containers, KEP-5307 for rules)."""
    if record.ephemeral:
        return False
    spec = record.spec
    if any(_applies(rule, code) for rule in spec.get("restartPolicyRules") or ()):
        return True
    policy = spec.get("restartPolicy") or pod_policy
    if record.init and not record.sidecar:
        return code != 0 and policy != "Never"
    return policy == "Always" or (policy == "OnFailure" and code != 0)


def _applies(rule: Object, code: int) -> bool:
    wanted = rule.get("exitCodes") or {}
    listed = code in (wanted.get("values") or ())
    return rule.get("action") == "Restart" and listed == (wanted.get("operator") == "In")
