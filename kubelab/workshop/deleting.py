"""Take a workshop away: what carries its label, and nothing else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kubelab.grading.report import LEARNER_LABEL, WORKSHOP_LABEL
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError
from kubelab.workshop.access import Access
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.making import Key, labelled
from kubelab.workshop.objects import KINDS, NAMESPACE

GOING_SECONDS = 300
"""How long namespaces may take to go: pods in them get their time to end."""
_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Doomed:
    """What would go: namespaces with all that is in them, and what stands beside them."""

    workshop: str
    objects: Mapping[Key, Object]

    @property
    def namespaces(self) -> list[str]:
        """Their names, sorted."""
        return sorted(name for kind, _, name in self.objects if kind == NAMESPACE.kind)

    @property
    def beside(self) -> list[Key]:
        """What is in none of these namespaces."""
        namespaces = set(self.namespaces)
        return [key for key in self.objects if key[0] != NAMESPACE.kind and key[1] not in namespaces]

    @property
    def sentence(self) -> str:
        """``200 namespaces and all that is in them, 200 ClusterRoleBindings, 2 ClusterRoles``."""
        said = [f"{_some(len(self.namespaces), 'namespace')} and all that is in them"] if self.namespaces else []
        counts = Counter(kind for kind, _, _ in self.beside)
        return ", ".join([*said, *(_some(count, kind) for kind, count in counts.most_common())])


def doomed(access: Access, workshop: str, learners: Collection[str] = ()) -> Doomed:
    """What `delete` would take away: all of a workshop, or what is of some learners. Raises `WorkshopError`."""
    objects = labelled(access, workshop)
    if not learners:
        return Doomed(workshop, objects)
    found = {key: each for key, each in objects.items() if each["metadata"]["labels"].get(LEARNER_LABEL) in learners}
    if strangers := set(learners) - {each["metadata"]["labels"][LEARNER_LABEL] for each in found.values()}:
        raise WorkshopError(
            f"The workshop {workshop} has no learner {', '.join(sorted(strangers))}; handout.csv says their names."
        )
    return Doomed(workshop, found)


def delete(access: Access, going: Doomed, gone: Callable[[int], None] = lambda _: None) -> None:
    """Delete it and wait until it is gone; ``gone`` hears how many namespaces are.

    Raises `WorkshopError` when something stays.
    """
    paths = {kind.kind: kind for kind in KINDS}
    namespaces = [(NAMESPACE.kind, "", name) for name in going.namespaces]

    def one(key: Key) -> None:
        kind, where, name = key
        # By UID: an object of the same name that somebody has made since then is not the workshop's.
        uid = going.objects[key]["metadata"].get("uid")
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                   **({"preconditions": {"uid": uid}} if uid else {})}  # fmt: skip
        try:
            access.request("DELETE", paths[kind].path(where, name), body=options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    # The rights first: nobody makes anything new in a namespace that is going.
    access.each(one, [*going.beside, *namespaces])
    _wait(access, going, gone)


def _wait(access: Access, going: Doomed, gone: Callable[[int], None]) -> None:
    ours = {each["metadata"].get("uid") for key, each in going.objects.items() if key[0] == NAMESPACE.kind}
    until = time.monotonic() + GOING_SECONDS
    while True:
        there = access.listed(NAMESPACE.path(""), f"{WORKSHOP_LABEL}={going.workshop}")
        left = [each["metadata"]["name"] for each in there if each["metadata"].get("uid") in ours]
        gone(len(going.namespaces) - len(left))
        if not left:
            return
        if time.monotonic() > until:
            raise WorkshopError(
                f"{_some(len(left), 'namespace')} did not go within {GOING_SECONDS} s ({', '.join(left[:3])} …); "
                f"`kubectl get namespace {left[0]} -o yaml` says what holds it."
            )
        time.sleep(_PAUSE_SECONDS)


def _some(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
