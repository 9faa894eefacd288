"""Whether a path fits a rule, and which of two rules that fit comes first
(https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types, 1.36).

A path is compared as it stands in the request's first line, without its query: case counts, ``%66`` is not ``f``, and
nothing is tidied up.
"""

from __future__ import annotations

import re

from kubelab.routing.model import PathMatch


def fits(match: PathMatch, path: str) -> bool:
    """Whether a request for this path, without query, matches."""
    if match.kind == "Exact":
        return path == match.value
    if match.kind == "RegularExpression":
        return re.fullmatch(match.value, path) is not None
    prefix = effective(match)
    return path == prefix or path.startswith(prefix + "/")


def effective(match: PathMatch) -> str:
    """What is compared: a Prefix's last slash says nothing, so ``/foo/`` and ``/foo`` are one and the same Prefix."""
    return match.value.removesuffix("/") if match.kind == "Prefix" else match.value


def precedence(match: PathMatch) -> tuple[int, bool, str]:
    """A sort key: the longest first, of the same length Exact first; then, to be the same every time, the alphabet."""
    value = effective(match)
    return -len(value), match.kind != "Exact", value
