"""Task 2.2: five Services, three of them broken, to be repaired without a touch to the Deployments.

The check asks each Service as a client does. When all answer as they should, it replaces every pod and asks once more:
a list of addresses that was written by hand does not outlive that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson02_services_and_endpointslices import apps, behaviour, faults
from kubelab.course.lessons.lesson02_services_and_endpointslices.apps import Version
from kubelab.course.lessons.lesson02_services_and_endpointslices.puzzle import FIVE, Case, cases
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab

GRACE_SECONDS = 3.0
"""How long the nodes may take, all Services together, to learn of what was applied a moment ago."""
REPLACED_SECONDS = 10.0
"""The same after every pod was replaced."""


class Duty(NamedTuple):
    """What a Service is there for."""

    port: int
    app: str

    def __str__(self) -> str:
        return f"port {self.port}, for the pods with app={self.app}"


class Found(NamedTuple):
    """What the clients of one Service got."""

    service: str
    seen: str
    """One of `behaviour.SEEN`."""
    at_its_port: bool
    """Whether every ready endpoint is at the port where its pod listens, and there is one."""
    diagnosis: str
    measured: Mapping[str, Any]

    @property
    def good(self) -> bool:
        """Whether it does what it is there for."""
        return self.seen == behaviour.ANSWERED and self.at_its_port

    @property
    def evidence(self) -> Evidence:
        """One line, the same on every run."""
        words = {
            behaviour.ANSWERED: "every request answered, by its own pods only",
            behaviour.STRANGERS: "some requests answered by pods of another app",
        }
        nobody = (behaviour.REFUSED, behaviour.TIMEOUT, behaviour.NO_NAME)
        told = words.get(self.seen, "nobody answered" if self.seen in nobody else "some requests failed")
        return Evidence(f"{self.service}: {told}", self.good)


def facts(seed: Seed) -> Mapping[str, object]:
    """What each Service is there for."""
    return {case.service: Duty(case.port, case.app) for case in cases(seed)}


def secrets(seed: Seed) -> Mapping[str, object]:
    """The three repairs."""
    return {"repairs": "\n".join(_repair(case) for case in cases(seed) if case.fault)}


def start(lab: Lab, seed: Seed) -> None:
    """Five apps, five Services; the ones that work come last and are waited for, so that every node knows of all."""
    all_cases = cases(seed)
    apps.start(lab, _versions(all_cases))
    lab.apply([case.manifest(case.wire) for case in all_cases if case.fault])
    faults.wait_until_settled(lab)
    healthy = [case for case in all_cases if not case.fault]
    lab.apply([case.manifest(case.wire) for case in healthy])
    for case in healthy:
        lab.wait(f"service/{case.service}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Ask every Service; when all is well, replace the pods and ask again."""
    all_cases = cases(seed)
    versions = _versions(all_cases)
    if apps.missing(lab, versions):
        return Result("2.2", Outcome.CANNOT_CHECK, 'The apps of this task are not here; set it up with start("2.2").')
    changed = apps.changed(lab, versions)
    if changed:
        return Result(
            "2.2",
            Outcome.INCORRECT,
            f"The Deployment {changed[0]} is no longer what it was; the Services are what is to be repaired.",
            advice='start("2.2") sets everything up again.',
        )
    if untouched(lab, all_cases):
        return Result("2.2", Outcome.NOT_ATTEMPTED, "The five Services are as they were at the start.")
    found = _ask_all(lab, all_cases, GRACE_SECONDS)
    if not all(each.good for each in found):
        return judge(found, replaced=False)
    replace_pods(lab, versions)
    return judge(_ask_all(lab, all_cases, REPLACED_SECONDS), replaced=True)


def judge(found: Sequence[Found], *, replaced: bool) -> Result:
    """The outcome, from what the clients got; ``replaced``: after every pod was replaced."""
    evidence = tuple(each.evidence for each in found)
    measured = {each.service: each.measured for each in found}
    bad = [each for each in found if not each.good]
    if not bad:
        evidence += (Evidence("still so after every pod was replaced", True),)
        reason = "All five Services reach their own pods, and nobody else's."
        return Result("2.2", Outcome.CORRECT, reason, evidence, measured=measured)
    when = "After every pod was replaced, " if replaced else ""
    should = "does not do what it should" if len(bad) == 1 else "do not do what they should"
    reason = f"{when}{len(bad)} of {FIVE} Services {should}."
    advice = f"{bad[0].diagnosis} Follow the wire: selector, slice, port."
    return Result("2.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def untouched(lab: Lab, all_cases: Sequence[Case]) -> bool:
    """Whether every Service is wired as at the start, and nobody wrote a slice by hand."""
    for case in all_cases:
        try:
            live = lab.get(f"service/{case.service}")["spec"]
        except NotFound:
            return False
        (port,) = live["ports"] if len(live.get("ports") or ()) == 1 else (None,)
        wired = {**(live.get("selector") or {}), "port": port and (port["port"], port["targetPort"])}
        if wired != {case.wire.label: case.wire.value, "port": (case.port, case.wire.target)}:
            return False
        if not all(piece.by_controller for piece in lab.endpoints(case.service).slices):
            return False
    return True


def replace_pods(lab: Lab, versions: Sequence[Version]) -> None:
    """Delete every pod of the task and wait until new ones are there."""
    for app in {version.app for version in versions}:
        lab.delete(f"app={app}")
    for version in versions:
        lab.wait(f"deployment/{version.deployment}", "available", timeout=apps.START_SECONDS)


def _ask_all(lab: Lab, all_cases: Sequence[Case], seconds: float) -> list[Found]:
    deadline = time.monotonic() + seconds
    return [_ask(lab, case, deadline - time.monotonic()) for case in all_cases]


def _ask(lab: Lab, case: Case, seconds: float) -> Found:
    own = behaviour.own_pods(lab, case.app)
    traffic = behaviour.ask_until_settled(lab, f"{case.service}:{case.port}", own, seconds)
    seen = behaviour.seen(traffic, own)
    measured = {"seen": seen, "success": traffic.success, "counts": traffic.counts, "errors": traffic.errors}
    try:
        wiring = behaviour.wiring(lab, case.service)
    except NotFound:
        return Found(case.service, seen, False, f"There is no Service {case.service}.", measured)
    return Found(case.service, seen, wiring.at_its_ports, wiring.diagnosis(seen), measured)


def _versions(all_cases: Sequence[Case]) -> list[Version]:
    return [version for case in all_cases for version in case.versions]


def _repair(case: Case) -> str:
    right, wire = case.right, case.wire
    wrong = f"{wire.label}: {wire.value}" if wire[:2] != right[:2] else f"targetPort: {wire.target}"
    return f'''
# {case.service} said {wrong}
lab.apply("""
apiVersion: v1
kind: Service
metadata:
  name: {case.service}
spec:
  selector:
    {right.label}: {right.value}
  ports:
  - port: {case.port}
    targetPort: {right.target}
""")'''


TASK = Task(
    id="2.2",
    title="Five Services, three of them broken",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Look before you change anything. lab.probe shows what a client gets, lab.endpoints what stands behind the "
        "Service. Which rows of the matrix do you recognise?",
        "No address in the slice: the selector finds nobody. Addresses but no port: no pod has a port of that name. "
        "asks(lab) beside offers(lab) shows both ends of each wire.",
        "Addresses and a port, and still refused: compare that port with the one the pods listen on. Answers that come "
        "from another app: the selector describes more pods than it should.",
        "Apply a broken Service again, whole, with what is wrong put right. An app that stands in two versions listens "
        "on two numbers; there, only one way of writing targetPort is right for both.",
    ),
    solution="${repairs}",
)
