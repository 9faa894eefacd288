"""The names and amounts of resources, in quotas and limits."""

from __future__ import annotations

from kubelab.engine.apiserver.validation import names
from kubelab.engine.apiserver.validation.fields import FieldError, invalid
from kubelab.engine.apiserver.validation.numbers import NOT_NEGATIVE
from kubelab.engine.quantity import value

_COMPUTE = ("cpu", "ephemeral-storage", "memory")
_COUNTED = frozenset({"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas",
                      "secrets", "services", "services.loadbalancers", "services.nodeports"})  # fmt: skip
STANDARD_QUOTA = frozenset({*_COMPUTE, *_COUNTED, "requests.storage",
                            *(f"{side}.{name}" for side in ("limits", "requests") for name in _COMPUTE)})  # fmt: skip


def quota_name(name: str, at: str) -> list[FieldError]:
    """A name that a quota can limit."""
    problems = names.qualified_name(name)
    known = name in STANDARD_QUOTA or name.startswith(("hugepages-", "requests.hugepages-"))
    if not problems and "/" not in name and not known:
        problems = ["must be a standard resource for quota"]
    return [invalid(at, name, problem) for problem in problems]


def container_resource(name: str, at: str) -> list[FieldError]:
    """A resource that a container can ask for."""
    problems = names.qualified_name(name)
    if not problems and "/" not in name and name not in _COMPUTE and not name.startswith("hugepages-"):
        problems = ["must be a standard resource for containers"]
    return [invalid(at, name, problem) for problem in problems]


def amount(name: str, quantity: str, at: str) -> list[FieldError]:
    """How much a quota allows: not below nothing, and whole where things are counted."""
    number = value(quantity)
    errors = [invalid(at, quantity, NOT_NEGATIVE)] if number < 0 else []
    if number.denominator != 1 and (name in _COUNTED or ("/" in name and not name.startswith("requests."))):
        errors.append(invalid(at, quantity, "must be an integer"))
    return errors
