"""Create what is missing of a workshop, bring up to date what differs, and touch nothing that is not its own."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubelab.grading.report import WORKSHOP_LABEL
from kubelab.lab.api import Object
from kubelab.lab.errors import ApiError, NotFound
from kubelab.lab.kinds import Kind
from kubelab.workshop.access import Access
from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.facts import Facts
from kubelab.workshop.objects import KINDS, NAMESPACE, of_all, of_learner
from kubelab.workshop.plan import Plan
from kubelab.workshop.roster import Learner

LEAVING_SECONDS = 120
"""How long a namespace that is being deleted is waited for."""
_PAUSE_SECONDS = 0.5
_BY_KIND = {(kind.api_version, kind.kind): kind for kind in KINDS}
Key = tuple[str, str, str]
"""Kind, namespace, name."""


@dataclass(frozen=True)
class Made:
    """What became of one learner's objects."""

    learner: Learner
    changes: Mapping[str, str] = field(default_factory=dict)
    """``"ConfigMap/kubelab-workshop"`` → ``created`` or ``changed``; what was as it should be is not listed."""
    account_uid: str = ""
    problem: str = ""
    """Empty when all is well."""


def make(
    access: Access, plan: Plan, facts: Facts, learners: Sequence[Learner], done: Callable[[Made], None] = lambda _: None
) -> list[Made]:
    """Everything of a workshop but the tokens. One learner's trouble is not another's.

    Raises `WorkshopError`, `LabError` when what all share cannot be made, or the API does not answer.
    """
    live = labelled(access, plan.name)
    for wanted in of_all(plan, facts):
        _settle(access, plan, live, wanted)

    def one(learner: Learner) -> Made:
        changes: dict[str, str] = {}
        uid = ""
        try:
            for wanted in of_learner(plan, facts, learner):
                change, there = _settle(access, plan, live, wanted)
                if change:
                    changes[f"{wanted['kind']}/{wanted['metadata']['name']}"] = change
                if wanted["kind"] == "ServiceAccount":
                    uid = str(there["metadata"].get("uid", ""))
        except (ApiError, WorkshopError) as error:
            return Made(learner, changes, uid, str(error))
        return Made(learner, changes, uid)

    return access.each(one, learners, done)


def labelled(access: Access, workshop: str) -> dict[Key, Object]:
    """Everything on the cluster that carries the workshop's label: one list request a kind."""

    def find(kind: Kind) -> list[tuple[Key, Object]]:
        try:
            found = access.listed(kind._replace(namespaced=False).path(""), f"{WORKSHOP_LABEL}={workshop}")
        except NotFound:
            return []
        # the items of a list do not say again what they are
        whole = [{**each, "apiVersion": kind.api_version, "kind": kind.kind} for each in found]
        return [(_key(each), each) for each in whole]

    return {key: each for found in access.each(find, KINDS) for key, each in found}


def kind_of(wanted: Object) -> Kind:
    """Where the API serves an object that a workshop makes."""
    return _BY_KIND[wanted["apiVersion"], wanted["kind"]]


def covers(live: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is so; what the server has added beside it does not matter."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(covers(live.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(live, list) and len(live) == len(wanted) and all(map(covers, live, wanted))
    return bool(live == wanted)


def _settle(access: Access, plan: Plan, live: Mapping[Key, Object], wanted: Object) -> tuple[str, Object]:
    """What was done (``created``, ``changed`` or nothing) and the object as it is now."""
    kind, there = kind_of(wanted), live.get(_key(wanted))
    if kind.kind == NAMESPACE.kind and there is not None and _is_leaving(there):
        _wait_until_gone(access, kind.path("", wanted["metadata"]["name"]))
        there = None
    if there is None:
        where = wanted["metadata"].get("namespace", "")
        try:
            return "created", access.request("POST", kind.path(where), body=wanted)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        there = _found(access, plan, wanted)
    if covers(there, wanted):
        return "", there
    changed = _changed(there, wanted)
    return "changed", access.request("PUT", _path(kind, wanted), body=changed)


def _found(access: Access, plan: Plan, wanted: Object) -> Object:
    """What has the name already: ours if somebody makes the same workshop at this moment. Raises `WorkshopError`."""
    there = access.request("GET", _path(kind_of(wanted), wanted))
    owner = (there["metadata"].get("labels") or {}).get(WORKSHOP_LABEL)
    if owner != plan.name:
        raise WorkshopError(
            f"The {wanted['kind']} {wanted['metadata']['name']} is there already and is not this workshop's; it was "
            "left alone. Give the workshop another name with --workshop."
        )
    return there


def _changed(there: Object, wanted: Object) -> Object:
    """The live object with what is wanted put into it: specs as a whole, labels, annotations and data beside others."""
    changed = copy.deepcopy(there)
    for name, value in wanted.items():
        if name == "data":
            changed[name] = {**(changed.get(name) or {}), **value}
        elif name != "metadata":
            changed[name] = value
    for name in ("labels", "annotations"):
        if name in wanted["metadata"]:
            changed["metadata"][name] = {**(changed["metadata"].get(name) or {}), **wanted["metadata"][name]}
    return changed


def _is_leaving(namespace: Object) -> bool:
    return "deletionTimestamp" in namespace["metadata"]


def _wait_until_gone(access: Access, path: str) -> None:
    until = time.monotonic() + LEAVING_SECONDS
    while True:
        try:
            access.request("GET", path)
        except NotFound:
            return
        if time.monotonic() > until:
            name = path.rpartition("/")[2]
            raise WorkshopError(
                f"The namespace {name} has been on its way out for more than {LEAVING_SECONDS} s; "
                f"`kubectl get namespace {name} -o yaml` says what holds it."
            )
        time.sleep(_PAUSE_SECONDS)


def _key(each: Object) -> Key:
    return each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]


def _path(kind: Kind, wanted: Object) -> str:
    return kind.path(wanted["metadata"].get("namespace", ""), wanted["metadata"]["name"])
