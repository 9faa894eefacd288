"""Task 9.1: a UDP client that keeps its port, before and after its pod is deleted."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.datagrams import Datagrams
from kubelab.lab.lab import Lab
from kubelab.lab.waiting import Seen, until

PACKAGE = "lesson09_conntrack"
QUESTION = "9.port"
BOUND_SECONDS = 5.0
"""How long a client may stay without an answer."""


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("9.1/app"),
        "container_port": seed.number("9.1/container-port", 8001, 8999),
        "service": seed.name("9.1/service"),
        "service_port": seed.number("9.1/service-port", 9001, 9999),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two pods that answer datagrams, and their Service."""
    own = facts(seed)
    lab.apply(files.manifest(PACKAGE, "echo", **own))
    lab.apply(files.manifest(PACKAGE, "service", affinity="None", protocol="UDP", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)
    await_answers(lab, f"{own['service']}:{own['service_port']}")


def await_answers(lab: Lab, target: str) -> None:
    """Wait until the nodes know the Service: every datagram is answered."""

    def look() -> Seen:
        with lab.datagrams(target, clients=["fresh"]) as record:
            pass
        return Seen(all(each.ok for each in record.of("fresh")), record.sentence)

    until(look, f"{target} does not answer datagrams", 60)
    lab.last_datagrams = None


def check(lab: Lab, seed: Seed) -> Result:
    """Judge what the learner recorded last."""
    own, record = facts(seed), lab.last_datagrams
    if Book().last("prediction", QUESTION) is None:
        return Result(
            "9.1", Outcome.NOT_ATTEMPTED, f'There is no prediction yet; write predict("{QUESTION}", …) first.'
        )
    if record is None:
        return Result("9.1", Outcome.NOT_ATTEMPTED, "There is no record of datagrams yet.")
    if record.target.partition(":")[0] != own["service"]:
        return Result(
            "9.1", Outcome.INCORRECT, f"This is not your task's Service; record datagrams to {own['service']}."
        )
    alive = {pod.uid for pod in lab.pods(f"app={own['app']}") if not pod.terminating}
    return judge(record, alive)


def judge(record: Datagrams, alive: set[str]) -> Result:
    """The outcome, from the record and the UIDs of the pods that live now."""
    answered = [each for each in record.of("fixed") if each.ok]
    uids = list(dict.fromkeys(each.uid for each in answered))
    deleted = bool(uids) and uids[0] not in alive
    moved = len(uids) > 1 and uids[-1] in alive
    prompt = bool(uids) and record.gap("fixed") < BOUND_SECONDS
    evidence = (
        Evidence("the client kept one source port", record.ports("fixed") == 1),
        Evidence("the pod that answered it at first was deleted", deleted),
        Evidence("another pod, which lives, answers it now", moved),
        Evidence(f"it was never without an answer for {BOUND_SECONDS:g} s", prompt),
    )
    if all(item.good for item in evidence):
        reason = "The port stayed, the pod changed: kube-proxy deleted the entry that led to the dead pod."
        return Result("9.1", Outcome.CORRECT, reason, evidence)
    if "fixed" not in record.kinds:
        reason, advice = "No client in this record keeps its port.", 'Record clients=["fixed"], or both.'
    elif not uids:
        reason, advice = "Nobody answered the client with one port.", "Compare the port with your task's."
    elif not deleted:
        reason = "The pod that answers the client is still there."
        advice = "record.server() says which pod to delete, inside the block."
    elif not moved:
        reason = "The record ends before another pod answers the client."
        advice = "After the deletion wait inside the block: lab.wait(…) and record.hear(40)."
    else:
        reason, advice = "The client was without an answer for too long.", 'Run start("9.1") and record once more.'
    return Result("9.1", Outcome.INCORRECT, reason, evidence, advice)


TASK = Task(
    id="9.1",
    title="One port, and its pod is deleted",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Which pod is the one that matters? There are two, and the client with one port knows only one of them.",
        "The record can tell while it runs: record.server() is the pod that answered the client with one port last.",
        'Delete that pod with lab.delete(f"pod/{…}") inside the block, wait until it is gone, and let the client go '
        "on for 40 datagrams with record.hear(40).",
    ),
    solution="""
predict("9.port", 2)
with lab.datagrams("${service}:${service_port}") as record:
    gone = record.server()
    record.mark(f"{gone} deleted")
    lab.delete(f"pod/{gone}")
    lab.wait(f"pod/{gone}", "deleted")
    record.hear(40)
""",
)
