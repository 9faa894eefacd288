"""What there is to ask for: the resources that are built in, and those that have been added to them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from kubelab.engine.apiserver.resources import ALL, ResourceType


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What the API serves at one moment: what is built in, and what CustomResourceDefinitions add to it."""

    all: tuple[ResourceType, ...]
    by_path: dict[tuple[str, str, str], ResourceType] = field(init=False)
    group_versions: tuple[tuple[str, str], ...] = field(init=False)
    """In the order in which discovery lists them; of one group the preferred version first."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_path", {(r.group, r.version, r.plural): r for r in self.all})
        object.__setattr__(self, "group_versions", tuple(dict.fromkeys((r.group, r.version) for r in self.all)))

    def with_custom(self, added: Iterable[ResourceType]) -> Catalogue:
        """With these too, except where a built-in resource has the path."""
        new = [one for one in added if (one.group, one.version, one.plural) not in self.by_path]
        return Catalogue((*self.all, *sorted(new, key=lambda one: (one.group, version_priority(one.version)))))


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as discovery prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then all others by name."""
    match = re.fullmatch(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?", version)
    if match is None:
        return (3, 0, 0, version)
    return ({None: 0, "beta": 1, "alpha": 2}[match[2]], -int(match[1]), -int(match[3] or 0), "")


BUILT_IN = Catalogue(ALL)
