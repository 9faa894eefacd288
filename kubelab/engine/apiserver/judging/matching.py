"""Which requests are meant: resource rules, and selectors of namespaces and objects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kubelab.engine.apiserver.encoding import Object
from kubelab.engine.apiserver.judging.deed import Deed
from kubelab.engine.apiserver.resources import ResourceType
from kubelab.engine.apiserver.validation.metadata import selector_matches

Rule = dict[str, Any]


def could_match(rules: Iterable[Rule], rtypes: Sequence[ResourceType], subresource: str, operation: str) -> bool:
    """Whether one of the rules is about such deeds; ``rtypes``: the resource, and its equivalents if they count."""
    return any(_is_about(rule, rtypes, subresource, operation) for rule in rules)


def _is_about(rule: Rule, rtypes: Sequence[ResourceType], subresource: str, operation: str) -> bool:
    if not _has(rule["operations"], operation):
        return False
    return any(
        _has(rule["apiGroups"], rtype.group)
        and _has(rule["apiVersions"], rtype.version)
        and any(_names(one, rtype.plural, subresource) for one in rule["resources"])
        for rtype in rtypes
    )


def _has(said: Sequence[str], one: str) -> bool:
    return "*" in said or one in said


def _names(said: str, plural: str, subresource: str) -> bool:
    resource, _, below = said.partition("/")
    return resource in ("*", plural) and below in ("*", subresource)


def matches(resources: Any, deed: Deed, rtypes: Sequence[ResourceType], namespace_labels: dict[str, str]) -> bool:
    """Whether the deed is meant; ``resources``: a MatchResources object (None: all deeds are)."""
    if resources is None:
        return True
    selector = resources["namespaceSelector"]
    if selector and deed.namespace and not selector_matches(selector, namespace_labels):
        return False
    if resources["objectSelector"] and not _selects(resources["objectSelector"], deed):
        return False
    if _one_meant(resources.get("excludeResourceRules") or (), deed, rtypes):
        return False
    rules = resources.get("resourceRules")
    return not rules or _one_meant(rules, deed, rtypes)


def _one_meant(rules: Iterable[Rule], deed: Deed, rtypes: Sequence[ResourceType]) -> bool:
    return any(
        _is_about(rule, rtypes, deed.subresource, deed.operation)
        and rule.get("scope") in ("*", "Namespaced" if deed.is_within else "Cluster")
        and deed.name in (rule.get("resourceNames") or (deed.name,))
        for rule in rules
    )


def _selects(selector: Any, deed: Deed) -> bool:
    return any(selector_matches(selector, _labels(obj)) for obj in (deed.new, deed.old) if obj and "metadata" in obj)


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}
