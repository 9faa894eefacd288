"""What a pod's spec may say and better does not. The words are those of 1.36."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]


def pod_warnings(spec: Spec, at: str) -> list[str]:
    """Variables and ports that one container has twice; ``at``: the path of the spec."""
    said: list[str] = []
    for member in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(member) or []):
            said += _variables(container.get("env") or [], f"{at}.{member}[{index}].env")
            said += _ports(container.get("ports") or [], f"{at}.{member}[{index}].ports")
    return said


def _variables(env: list[Spec], at: str) -> list[str]:
    said, seen = [], set[str]()
    for index, variable in enumerate(env):
        name, reference = variable.get("name", ""), f"$({variable.get('name', '')})"
        value = variable.get("value") or ""
        extends = reference in value and value != reference and "valueFrom" not in variable
        if name in seen and not extends:
            said.append(f'{at}[{index}]: hides previous definition of "{name}", which may be dropped when using apply')
        seen.add(name)
    return said


def _ports(ports: list[Spec], at: str) -> list[str]:
    said: list[str] = []
    seen: dict[tuple[Any, ...], int] = {}
    for index, port in enumerate(ports):
        key = tuple(port.get(member) for member in ("containerPort", "protocol", "hostIP", "hostPort"))
        if key in seen:
            said.append(f"{at}[{index}]: duplicate port definition with {at}[{seen[key]}]")
        seen.setdefault(key, index)
    return said
