"""What makes a context look as if a course had no business there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from kubelab.clusters.existing.kubeconfig import Context

_PRODUCTION = re.compile(r"(?<![a-z0-9])(prod|prd|production|live)[0-9]*(?![a-z0-9])", re.IGNORECASE)
_NOT_PRODUCTION = re.compile(r"\b(non|not|pre|no)[-_]?$", re.IGNORECASE)
AMBIGUOUS = frozenset({"svc", "cluster", "local", "test", "example", "internal", "arpa", "com", "org"})
"""Labels of DNS names in the lessons, from which a namespace of that name could not be told."""


def looks_like_production(context: Context, namespace: str, labels: Mapping[str, str]) -> str:
    """What looks so: ``the server's name api.prod.example.org``; empty when nothing does."""
    named = {
        "the context's name": context.name,
        "the cluster's name": context.cluster_name,
        "the server's name": context.server,
        "the namespace": namespace,
        **{f"the namespace's label {key}": value for key, value in labels.items()},
    }
    return next((f"{what} {text}" for what, text in named.items() if _says_production(text)), "")


def foreign(names: Iterable[str]) -> str:
    """``pod/db-0, service/db and 3 more`` of what is not kubelab's; empty when there is nothing."""
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _says_production(text: str) -> bool:
    return any(not _NOT_PRODUCTION.search(text[: found.start()]) for found in _PRODUCTION.finditer(text))
