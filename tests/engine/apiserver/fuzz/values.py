"""Values for the fields of a schema: most of the type that the field has, some that no field should have."""

from __future__ import annotations

from random import Random
from typing import Any

from kubelab.engine.apiserver.schema import Shape

DEEPEST = 5
NAMES = ("a", "b", "c", "web", "default", "kubernetes", "main", "http", "notes")
STRINGS = (
    *NAMES, "", " ", "a.b", "A", "a/b", "../a", "..", "%2e", "-", "a" * 64, "a" * 300, "ä", "\u0000", "\ud83d\ude00",
    "\n",
    "*", "null", "true", "0", "-1", "80", "1e3", "10%", "101%", "{}", "[]", "$(A)", "$", "'", '"', "\\",
    "kubernetes.io/a",
    "10.96.0.10", "10.244.1.9", "256.1.1.1", "::1", "10.96.0.0/16", "0.0.0.0/0", "a.test", "*.test", "/", "/a", "//",
    "TCP", "UDP", "SCTP", "Always", "Never", "OnFailure", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName",
    "None",
    "Local", "Cluster", "Exact", "Prefix", "Recreate", "RollingUpdate", "OnDelete", "Parallel", "In", "NotIn", "Exists",
    "DoesNotExist", "Gt", "Lt", "Equal", "NoSchedule", "NoExecute", "Ingress", "Egress", "Pod", "Container",
    "Terminating",
    "Namespace", "ServiceAccount", "User", "Group", "Role", "ClusterRole", "Foreground", "pods", "get", "100m", "1Gi",
    "2026-01-01T00:00:00Z", "registry.k8s.io/e2e-test-images/agnhost:2.53", "self.a == 1", "self.all(x, x > 0)", "sh",
    "-c",
)  # fmt: skip
INTEGERS = (0, 1, 2, 3, 5, 8, 80, 443, 8080, 30080, 65535, 65536, -1, -(2**31), 2**31 - 1, 2**31, 2**53, 2**63 - 1)
QUANTITIES = (
    "0",
    "1",
    "100m",
    "1.5",
    "1Gi",
    "1e3",
    "-1",
    "1E",
    "999999999999Ti",
    "0.0000000001",
    "1n",
    "abc",
    "",
    "1 Gi",
)
TIMES = (
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "never",
    "",
)
NONSENSE: tuple[Any, ...] = (None, True, [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, 1.5, 1e308, -0.0, 2**64)


def valid(random: Random, shape: Shape, depth: int = 0) -> Any:
    """Something of the field's own type; now and then it is of another."""
    if depth and random.random() < 0.02:
        return nonsense(random)
    match shape.kind:
        case "struct" if shape.struct is not None:
            fields = shape.struct.fields
            most = 0 if depth >= DEEPEST else random.choice((1, 2, 4))
            chosen = {*shape.struct.required, *random.sample(sorted(fields), min(most, len(fields)))}
            return {name: valid(random, fields[name], depth + 1) for name in sorted(chosen) if name in fields}
        case "array" if shape.item is not None:
            return [valid(random, shape.item, depth + 1) for _ in range(random.choice((0, 1, 1, 2, 3)))]
        case "map" if shape.item is not None and depth < DEEPEST:
            return {
                random.choice(STRINGS): valid(random, shape.item, depth + 1) for _ in range(random.choice((0, 1, 2)))
            }
        case "integer":
            return random.choice(INTEGERS)
        case "number":
            return random.choice((0, 1, 0.5, -1, 1e300))
        case "boolean":
            return random.random() < 0.5
        case "bytes":
            return random.choice(("", "YQ==", "YQ", "no base64", "/w=="))
        case "time":
            return random.choice(TIMES)
        case "quantity":
            return random.choice((*QUANTITIES, *INTEGERS[:4]))
        case "int-or-string":
            return random.choice((*STRINGS, *INTEGERS))
        case "any":
            return nonsense(random)
    return random.choice(STRINGS)


def nonsense(random: Random) -> Any:
    """Of whatever type."""
    return random.choice((*NONSENSE, random.choice(STRINGS), random.choice(INTEGERS)))


def mutated(random: Random, value: Any, shape: Shape) -> Any:
    """The value with one field, somewhere in it, made anew, added, repeated or taken away."""
    if isinstance(value, dict) and shape.kind == "struct" and shape.struct is not None:
        fields = shape.struct.fields
        deeper = [name for name in sorted(value) if name in fields and isinstance(value[name], dict | list)]
        if deeper and random.random() < 0.75:
            name = random.choice(deeper)
            return {**value, name: mutated(random, value[name], fields[name])}
        if value and random.random() < 0.15:
            gone = random.choice(sorted(value))
            return {name: held for name, held in value.items() if name != gone}
        if random.random() < 0.03 or not fields:
            return {**value, random.choice(STRINGS): nonsense(random)}
        name = random.choice(sorted(fields))
        return {**value, name: valid(random, fields[name])}
    if isinstance(value, list) and value and shape.kind == "array" and shape.item is not None:
        at = random.randrange(len(value))
        change = random.random()
        if change < 0.7:
            return [*value[:at], mutated(random, value[at], shape.item), *value[at + 1 :]]
        return [*value, value[at]] if change < 0.8 else [*value, valid(random, shape.item)]
    return valid(random, shape)
