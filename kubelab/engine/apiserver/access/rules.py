"""Rules of RBAC: what one allows, and whether some rules cover others.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#role-and-clusterrole
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from kubelab.engine.apiserver.access.attributes import Attributes
from kubelab.engine.apiserver.validation.fields import quoted

Rule = dict[str, Any]

ALL = "*"
EVERYTHING: tuple[Rule, ...] = (
    {"verbs": [ALL], "apiGroups": [ALL], "resources": [ALL]},
    {"verbs": [ALL], "nonResourceURLs": [ALL]},
)


def allows(rule: Rule, wish: Attributes) -> bool:
    """Whether the rule lets the wish through."""
    if not _has(rule.get("verbs"), wish.verb):
        return False
    if wish.path is not None:
        return any(url_covers(url, wish.path) for url in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames")
    return (
        _has(rule.get("apiGroups"), wish.group)
        and resource_covers(rule.get("resources") or (), wish.whole_resource)
        and (not names or wish.name in names)
    )


def _has(values: Sequence[str] | None, value: str) -> bool:
    return values is not None and (value in values or ALL in values)


def resource_covers(resources: Sequence[str], whole: str) -> bool:
    """Whether ``pods/log`` is meant by ``pods/log``, ``*/log`` or ``*``."""
    if ALL in resources or whole in resources:
        return True
    _, slash, subresource = whole.partition("/")
    return bool(slash) and f"{ALL}/{subresource}" in resources


def url_covers(url: str, path: str) -> bool:
    """Whether a URL of a rule, which may end in a star, is that path or one above it."""
    return url == path or (url.endswith(ALL) and path.startswith(url.rstrip(ALL)))


class Grants:
    """Rules put in order once, so that most questions cost one look into a dictionary."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._exact: dict[tuple[str, str, str], set[str] | None] = {}
        """(verb, group, resource) → names; None: all of them."""
        self._others: list[Rule] = []
        for rule in rules:
            self._add(rule)

    def _add(self, rule: Rule) -> None:
        verbs, groups = rule.get("verbs") or (), rule.get("apiGroups") or ()
        resources, names = rule.get("resources") or (), rule.get("resourceNames")
        starred = any(ALL in one for values in (verbs, groups, resources) for one in values)
        if starred or rule.get("nonResourceURLs"):
            self._others.append(rule)
            return
        for key in product(verbs, groups, resources):
            known = self._exact.get(key, set())
            self._exact[key] = None if known is None or not names else known | set(names)

    def allow(self, wish: Attributes) -> bool:
        """Whether any rule lets the wish through."""
        if wish.path is None:
            names = self._exact.get((wish.verb, wish.group, wish.whole_resource), ())
            if names is None or wish.name in names:
                return True
        return any(allows(rule, wish) for rule in self._others)


# -- one set of rules against another ----------------------------------------------------------


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """The smallest parts of the wanted rules that no held rule covers by itself."""
    return [part for rule in wanted for part in _parts(rule) if not any(_covers(one, part) for one in held)]


def _parts(rule: Rule) -> Iterator[Rule]:
    """One verb, group, resource and name (or URL) each."""
    verbs = rule.get("verbs") or ()
    for group, resource, verb in product(rule.get("apiGroups") or (), rule.get("resources") or (), verbs):
        part = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
        names = rule.get("resourceNames")
        if names:
            yield from ({**part, "resourceNames": [name]} for name in names)
        else:
            yield part
    for url, verb in product(rule.get("nonResourceURLs") or (), verbs):
        yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(held: Rule, part: Rule) -> bool:
    if not _has(held.get("verbs"), part["verbs"][0]):
        return False
    if "nonResourceURLs" in part:
        return any(url_covers(url, part["nonResourceURLs"][0]) for url in held.get("nonResourceURLs") or ())
    names, asked = held.get("resourceNames"), part.get("resourceNames")
    return (
        _has(held.get("apiGroups"), part["apiGroups"][0])
        and resource_covers(held.get("resources") or (), part["resources"][0])
        and (not names or (asked is not None and asked[0] in names))
    )


_IN_TEXT = (("APIGroups", "apiGroups"), ("Resources", "resources"), ("NonResourceURLs", "nonResourceURLs"),
            ("ResourceNames", "resourceNames"), ("Verbs", "verbs"))  # fmt: skip


def described(parts: Iterable[Rule]) -> list[str]:
    """Rules as refusals name them, those that differ by their verbs put together."""
    verbs: dict[tuple[str, str], list[str]] = {}
    texts: list[str] = []
    for part in parts:
        if "resourceNames" in part or "nonResourceURLs" in part:
            texts.append(_text(part))
        else:
            verbs.setdefault((part["apiGroups"][0], part["resources"][0]), []).extend(part["verbs"])
    texts += [
        _text({"apiGroups": [group], "resources": [resource], "verbs": each})
        for (group, resource), each in verbs.items()
    ]
    return sorted(set(texts))


def _text(rule: Rule) -> str:
    return "{" + ", ".join(f"{name}:{listed(rule[key])}" for name, key in _IN_TEXT if rule.get(key)) + "}"


def listed(values: Iterable[str]) -> str:
    """``["a" "b"]``, as Go prints a list of strings."""
    return f"[{' '.join(quoted(value) for value in values)}]"
