"""Rules in one line each (see `roles`), read into the form that the API has."""

from __future__ import annotations

import re
from typing import Any

Rule = dict[str, Any]

_WORD = re.compile(r"(?P<resource>[^@\[]*)(?:@(?P<group>[^\[]*))?(?:\[(?P<names>[^\]]*)\])?")


def rules(text: str) -> list[Rule]:
    """The rules of a text, a line each. A group that stands alone at the end is meant for all resources before it."""
    return [_rule(line) for line in text.splitlines() if line.strip()]


def _rule(line: str) -> Rule:
    verbs, _, rest = line.partition(":")
    words = rest.split()
    rule: Rule = {"verbs": verbs.strip().split(",")}
    if words[0] == "*" or words[0].startswith("/"):
        return {**rule, "nonResourceURLs": words}
    common = words.pop()[1:] if words[-1].startswith("@") else None
    groups: dict[str, None] = {}
    resources: dict[str, None] = {}
    names: list[str] = []
    for word in words:
        parts = _WORD.fullmatch(word)
        assert parts is not None, f"no resource: {word}"
        groups[parts["group"] or common or ""] = None
        resources[parts["resource"]] = None
        names += (parts["names"] or "").split(",") if parts["names"] else []
    rule |= {"apiGroups": sorted(groups), "resources": sorted(resources)}
    return {**rule, "resourceNames": names} if names else rule
