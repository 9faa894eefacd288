"""Which host names a rule is for (https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards).

``*.`` stands for one label in an Ingress and for one or more in the Gateway API.
"""

from __future__ import annotations

from kubelab.routing.model import Wildcard


def host_name(header: str) -> str:
    """The name in a Host header (or SNI): in lower case, without port and without a dot at its end."""
    if header.startswith("["):
        return header[: header.find("]") + 1]
    return header.partition(":")[0].lower().removesuffix(".")


def fits(pattern: str, host: str, wildcard: Wildcard = "one label") -> bool:
    """Whether a name (see `host_name`) is among those that the pattern is for; an empty pattern is for all."""
    if not pattern.startswith("*."):
        return pattern in ("", host)
    front = host.removesuffix(pattern[1:])
    return front not in ("", host) and (wildcard == "any labels" or "." not in front)


def precedence(pattern: str) -> tuple[int, int, str]:
    """A sort key: whole names, then wildcards (the longest first), then the rule for all hosts."""
    kind = 2 if not pattern else 1 if pattern.startswith("*.") else 0
    return kind, -len(pattern), pattern
