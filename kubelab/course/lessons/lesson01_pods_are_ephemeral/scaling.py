"""Task 1.1: which addresses outlive a scale-down to one pod and back to three."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.lab import Lab
from kubelab.lab.lifelines import PodLifelines
from kubelab.lab.pods import Pod

PACKAGE = "lesson01_pods_are_ephemeral"
REPLICAS, SCALED_DOWN = 3, 1

QUESTION = "1.scale"


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own name and port."""
    return {"app": seed.name("1.1/app"), "container_port": seed.number("1.1/port", 8001, 8999)}


def start(lab: Lab, seed: Seed) -> None:
    """Three pods."""
    own = facts(seed)
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply(files.manifest(PACKAGE, "pods", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)


def check(lab: Lab, seed: Seed) -> Result:
    """Judge what the learner watched last, and ask the addresses in it whether they still answer."""
    watched = lab.last_watch
    if Book().last("prediction", QUESTION) is None:
        return Result(
            "1.1", Outcome.NOT_ATTEMPTED, f'There is no prediction yet; write predict("{QUESTION}", …) first.'
        )
    if watched is None or not watched.after:
        return Result("1.1", Outcome.NOT_ATTEMPTED, "You have not watched the pods of this task to the end yet.")
    app = str(facts(seed)["app"])
    if not all(pod.alias.rpartition("-")[0] == app for pod in watched.before):
        return Result(
            "1.1", Outcome.INCORRECT, f"These are not the pods of your task; watch those with the label app={app}."
        )
    return judge(watched, {pod.uid for pod in watched.before if still_answers(lab, pod)})


def still_answers(lab: Lab, pod: Pod) -> bool:
    """Whether a pod's address is answered, and by this very pod."""
    answers = lab.probe(f"{pod.ip}:{pod.port}", n=1, timeout=1).answers
    return any(answer.ok and answer.uid == pod.uid for answer in answers)


def judge(watched: PodLifelines, answering: set[str]) -> Result:
    """The outcome, from the record and from who of those in it still answers."""
    came = len(watched.lines) - len(watched.before)
    evidence = (
        Evidence(
            f"{len(watched.before)} pods before, {len(watched.after)} after, {came} of them new",
            came == REPLICAS - SCALED_DOWN,
        ),
        Evidence(
            f"first addresses that still answer, each as the pod it was: {len(answering)} of {len(watched.before)}",
            len(answering) == SCALED_DOWN,
        ),
    )
    measured = {"kept": watched.ips_kept, "came": came, "answering": len(answering)}
    if (len(watched.before), len(watched.after)) != (REPLICAS, REPLICAS):
        reason, advice = "Begin and end with three pods.", 'Run start("1.1") again and watch both steps in one block.'
    elif watched.ips_kept == 0:
        reason = "No pod outlived what you did, so it was not a scale-down to one."
        advice = "Deleting pods or scaling to 0 takes all of them; lab.scale(…, 1) leaves one."
    elif came == 0:
        reason, advice = (
            "Every pod stayed: nothing was scaled.",
            'lab.scale("deployment/NAME", replicas) changes the number.',
        )
    elif len(answering) != SCALED_DOWN or came != REPLICAS - SCALED_DOWN:
        reason = f"{watched.ips_kept} pods outlived what you did; a scale-down to {SCALED_DOWN} leaves {SCALED_DOWN}."
        advice = "Scale to 1 and then to 3, in one watch."
    else:
        reason = "One pod outlived the scale-down; the two that came back are new pods at new addresses."
        return Result("1.1", Outcome.CORRECT, reason, evidence, measured=measured)
    return Result("1.1", Outcome.INCORRECT, reason, evidence, advice, measured)


TASK = Task(
    id="1.1",
    title="Down to one and back to three",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Scaling is one field of the Deployment: spec.replicas. Which pods can the Deployment keep when it shrinks?",
        'The lab changes that field for you and waits: lab.scale("deployment/NAME", 2) makes it two.',
        "Two calls belong into the block: one on the way down, one on the way up, on deployment/${app}.",
    ),
    solution="""
predict("1.scale", 1)
with predict.first("1.scale"), lab.watch_pods("app=${app}") as pods:
    lab.scale("deployment/${app}", 1)
    lab.scale("deployment/${app}", 3)
""",
)
