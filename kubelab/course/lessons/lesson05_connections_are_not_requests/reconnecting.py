"""Task 5.1: a client with a single connection, before and after it reconnects."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.lab import Lab
from kubelab.lab.shares import Phase, SharesOverTime

PACKAGE = "lesson05_connections_are_not_requests"
FEW, MOST = 2, 8

QUESTION = "5.single"


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names, ports and numbers."""
    return {
        "app": seed.name("5.1/app"),
        "container_port": seed.number("5.1/container-port", 8001, 8999),
        "service": seed.name("5.1/service"),
        "service_port": seed.number("5.1/service-port", 9001, 9999),
        "pods": seed.number("5.1/pods", 5, MOST),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two pods and their Service."""
    own = facts(seed)
    servers(lab, own)
    lab.wait(f"service/{own['service']}", "answers")


def servers(lab: Lab, own: Mapping[str, object]) -> None:
    """Two pods under the learner's own name, and a Service in front of them."""
    lab.apply(files.manifest(PACKAGE, "server"))
    deployment = files.manifest(PACKAGE, "pods", **own)
    deployment[0]["spec"]["replicas"] = FEW
    lab.apply(deployment)
    lab.apply(files.manifest(PACKAGE, "service", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)


def check(lab: Lab, seed: Seed) -> Result:
    """Judge what the learner recorded last."""
    own, shares = facts(seed), lab.last_shares
    if Book().last("prediction", QUESTION) is None:
        return Result(
            "5.1", Outcome.NOT_ATTEMPTED, f'There is no prediction yet; write predict("{QUESTION}", …) first.'
        )
    if shares is None or len(shares.phases) < 2:
        return Result("5.1", Outcome.NOT_ATTEMPTED, "There is no record yet with something happening in it.")
    if re.split("[.:]", shares.target)[0] != own["service"]:
        return Result(
            "5.1", Outcome.INCORRECT, f"This is not your task's Service; record requests to {own['service']}."
        )
    return judge(shares, int(str(own["pods"])))


def judge(shares: SharesOverTime, pods: int) -> Result:
    """The outcome, from the record: ``pods`` is the number to scale to."""
    first, last = shares.phases[0], shares.phases[-1]
    grown = next((phase for phase in shares.phases if len(phase.ready) > FEW), None)
    reconnected = ends(first).isdisjoint(ends(last))
    single = all(phase.traffic.connections == 1 for phase in shares.phases)
    evidence = (
        Evidence(f"{FEW} pods were ready at the start and {pods} at the end", grew(shares, pods)),
        Evidence("the servers saw one connection at a time", single),
        Evidence("it outlived the scale-up", grown is not None and ends(first) == ends(grown)),
        Evidence("at the end it was another one than at the start", reconnected),
        Evidence("one pod answered everything before, and one after", all(p.answering == 1 for p in shares.phases)),
    )
    measured = {phase.name: dict(phase.traffic.counts) for phase in shares.phases}
    if all(item.good for item in evidence):
        reason = (
            f"One connection is one pick: one of {pods} pods does all the work, before the client reconnects and after."
        )
        return Result("5.1", Outcome.CORRECT, reason, evidence, measured=measured)
    if grew(shares, pods) and not single and (noise := _noise(shares, reconnected)):
        return Result("5.1", Outcome.CANNOT_CHECK, noise, evidence, "Run the block once more.", measured)
    reason, advice = _verdict(shares, pods, single, reconnected)
    return Result("5.1", Outcome.INCORRECT, reason, evidence, advice, measured)


def ends(phase: Phase) -> set[tuple[str, str, int]]:
    """The connections of a phase: who answered, and the client's end as the server saw it."""
    return {(a.uid, a.peer, a.peer_port) for a in phase.traffic.answers if a.ok}


def grew(shares: SharesOverTime, pods: int) -> bool:
    """Whether the first pods stayed and more came, up to ``pods``."""
    first, last = shares.phases[0].ready, shares.phases[-1].ready
    return len(first) == FEW and len(last) == pods and set(first) < set(last)


def _noise(shares: SharesOverTime, reconnected: bool) -> str:
    """Why a phase may have several connections although the learner did right; empty when nothing says so."""
    if any(phase.traffic.errors for phase in shares.phases):
        return "A request failed, and its connection ended with it: this machine is too busy, or the server was."
    if len(shares.phases) > 2 and shares.phases[0].traffic.connections == 1 and reconnected:
        return "The client was late to reconnect, or did so between the events: this machine may be too busy."
    return ""


def _verdict(shares: SharesOverTime, pods: int, single: bool, reconnected: bool) -> tuple[str, str]:
    if not grew(shares, pods):
        return (
            f"The record does not go from {FEW} pods to {pods} with the first ones kept.",
            'Run start("5.1") again and scale inside the block.',
        )
    if shares.phases[0].traffic.connections > 1:
        return "The client kept more than one connection.", "The block has to say connections=1."
    if not reconnected:
        return "The connection at the end is the one from the start.", "shares.reconnect() makes the client give it up."
    return (
        "The client reconnected and was scaled for at once, so that nobody can tell the one from the other.",
        "Give each its own event: first the scale-up, then reconnecting.",
    )


TASK = Task(
    id="5.1",
    title="One connection, many pods",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "What is it that picks a pod, and when does it pick? Count how often that happens in the whole block.",
        "Two events belong into the block: with shares.event(…) around a call that scales, then another around a call "
        "that makes the client reconnect.",
        'The calls are lab.scale("deployment/${app}", …) and shares.reconnect(); the lesson\'s fourth experiment has '
        "both.",
    ),
    solution="""
predict("5.single", 1)
with predict.first("5.single"), lab.watch_shares("${service}:${service_port}", connections=1) as shares:
    with shares.event("scaled up"):
        lab.scale("deployment/${app}", ${pods})
    with shares.event("reconnected"):
        shares.reconnect()
""",
)
