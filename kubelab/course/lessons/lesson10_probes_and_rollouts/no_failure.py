"""Task 10.2: a rollout without a single failed request, for clients that connect anew and for those that keep on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson10_probes_and_rollouts import apps, rollouts
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.deaths import Death
from kubelab.lab.errors import TimedOut
from kubelab.lab.lab import Lab
from kubelab.lab.lifelines import PodLifelines

REPLICAS = 3
RATE = 50
"""Requests a second of each client, at the most."""
ENOUGH = 200
AT_MOST_SECONDS = 60
STARTING_SECONDS = 1.5


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("10.2/app"),
        "container_port": seed.number("10.2/container-port", 8001, 8999),
        "service": seed.name("10.2/service"),
        "service_port": seed.number("10.2/service-port", 9001, 9999),
    }


def deployment(seed: Seed) -> Object:
    """The app as it is at the start: takes a moment to serve, says nothing of it, and ends at once when it is told."""
    own = facts(seed)
    made = apps.deployment(
        str(own["app"]), port=int(str(own["container_port"])), probes={}, START_SECONDS=STARTING_SECONDS
    )
    made["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 1, "maxUnavailable": 1}
    return made


def start(lab: Lab, seed: Seed) -> None:
    """Three pods and a Service that answers."""
    own = facts(seed)
    service = apps.service(
        str(own["app"]), str(own["service"]), port=int(str(own["service_port"])), target=int(str(own["container_port"]))
    )
    apps.set_up(lab, deployment(seed), service)


@dataclass(frozen=True)
class Rolled:
    """All that is judged: one rollout."""

    requests: int
    failed_new: int
    failed_kept: int
    replaced: bool
    """Whether every pod from before was replaced."""
    pods: int
    """How many there were before."""
    deaths: tuple[Death, ...] = ()
    checked_before_use: bool = True
    """Whether new pods have a readiness probe; said only to explain."""
    slow: bool = False
    """Whether nothing is wrong with the Deployment, and the machine was too busy."""


def check(lab: Lab, seed: Seed) -> Result:
    """Roll out under load."""
    own = facts(seed)
    app = str(own["app"])
    found = lab.find_one(f"deployment/{app}")
    if found is None:
        return Result("10.2", Outcome.CANNOT_CHECK, f'There is no Deployment {app} here; run start("10.2").')
    if _as_at_the_start(seed, found):
        return Result("10.2", Outcome.NOT_ATTEMPTED, "The Deployment is as it was at the start.")
    try:
        lab.wait(f"deployment/{app}", "available", timeout=AT_MOST_SECONDS)
        lab.wait(f"service/{own['service']}", "answers")
        record = _rolled_out(lab, app, str(own["service"]))
        may_work = "readinessProbe" in apps.container(found) and apps.drains(found)
        if may_work and any(record.failed(client) for client in record.traffic):
            # A busy machine can be late once; what is wrong with the Deployment is wrong the second time, too.
            record = _rolled_out(lab, app, str(own["service"]))
    except TimedOut as error:
        return Result(
            "10.2", Outcome.INCORRECT, f"The rollout was not over after {AT_MOST_SECONDS} s: {error}",
            advice="A pause longer than the nodes need to hear of it helps nobody. lab.events() may know more.",
        )  # fmt: skip
    before, after = ({pod.uid for pod in pods} for pods in (record.before, record.after))
    return judge(
        Rolled(
            requests=sum(len(each.answers) for each in record.traffic.values()),
            failed_new=record.failed(rollouts.NEW),
            failed_kept=record.failed(rollouts.KEPT),
            replaced=not before & after,
            pods=len(before),
            deaths=tuple(record.deaths),
            checked_before_use="readinessProbe" in apps.container(found),
            slow=may_work and rollouts.too_slow(record),
        )
    )


def _rolled_out(lab: Lab, app: str, service: str) -> PodLifelines:
    rollouts.fresh_client(lab)
    with rollouts.watch(lab, app, service, RATE) as record:
        lab.restart(f"deployment/{app}")
    return record


def _as_at_the_start(seed: Seed, found: Object) -> bool:
    made = deployment(seed)["spec"]
    pod = found["spec"]["template"]["spec"]
    container = pod["containers"][0]
    added = any(key in container for key in ("readinessProbe", "startupProbe", "lifecycle"))
    same = all(
        apps.unchanged(part, now)
        for part, now in (
            (made["strategy"], found["spec"]["strategy"]),
            (made["template"]["spec"]["containers"][0]["env"], container["env"]),
            (made["template"]["spec"]["terminationGracePeriodSeconds"], pod.get("terminationGracePeriodSeconds")),
        )
    )
    return same and not added and not found["spec"].get("minReadySeconds")


def judge(rolled: Rolled) -> Result:
    """The outcome, from what both clients got."""
    evidence = (
        Evidence(f"every one of at least {REPLICAS} pods was replaced", rolled.replaced and rolled.pods >= REPLICAS),
        Evidence(f"more than {ENOUGH} requests were sent meanwhile", rolled.requests > ENOUGH),
        Evidence("no request over a new connection failed", rolled.failed_new == 0),
        Evidence("no request over a kept connection failed", rolled.failed_kept == 0),
    )
    measured = {"requests": rolled.requests, "failed_new": rolled.failed_new, "failed_kept": rolled.failed_kept}
    if all(line.good for line in evidence):
        reason = "Every pod was replaced under load, and no client noticed."
        return Result("10.2", Outcome.CORRECT, reason, evidence, measured=measured)
    if rolled.slow and (rolled.failed_new or rolled.failed_kept):
        return Result("10.2", Outcome.CANNOT_CHECK, rollouts.BUSY, evidence, rollouts.REST, measured)
    reason, advice = _why(rolled)
    return Result("10.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _why(rolled: Rolled) -> tuple[str, str]:
    if rolled.pods < REPLICAS:
        return f"There were only {rolled.pods} pods.", f"The app runs with {REPLICAS}."
    if not rolled.replaced:
        return "Not every pod was replaced.", "kubectl rollout restart has to replace all; what is the strategy?"
    if rolled.failed_new and not rolled.checked_before_use:
        return (
            "Requests failed: new pods got them before they served.",
            "The app takes a moment to start. How can Kubernetes know when it is over?",
        )
    if rolled.failed_new and any(death.told_too_early for death in rolled.deaths):
        return (
            "Requests failed: pods were told to end while rules still led to them.",
            "Which hook holds SIGTERM back while the nodes hear of it?",
        )
    if rolled.failed_kept and not rolled.failed_new:
        return (
            "New connections are fine; connections that clients keep were cut.",
            "Only the server can tell a client on an open connection to go elsewhere. What can the app do on SIGTERM?",
        )
    if rolled.failed_new:
        return (
            "Requests over new connections failed.",
            "Were there always enough pods that serve? The record knows: lab.last_watch.plot().",
        )
    return "Too few requests were sent to tell.", 'Run check("10.2") again.'


TASK = Task(
    id="10.2",
    title="A rollout that nobody notices",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Three things go wrong, at the beginning of a pod, at its end, and in between. Roll out yourself and look: "
        "roll(lab, …) gives a record, and record.plot() a picture of it.",
        "Beginning: a readinessProbe. In between: how many pods may be missing (maxUnavailable)? End: a pause before "
        "SIGTERM, for new connections; and a server that says goodbye, for kept ones.",
        "The end takes two lines of YAML that the lesson has shown: lifecycle.preStop.sleep, and ON_SIGTERM of the "
        "app. Both have to fit into terminationGracePeriodSeconds.",
    ),
    solution="""
deployment = applied(lab, "deployment/${app}")
deployment["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 1, "maxUnavailable": 0}
container = deployment["spec"]["template"]["spec"]["containers"][0]
asked = {"path": "/ready", "port": ${container_port}}
container["readinessProbe"] = {"httpGet": asked, "periodSeconds": 1, "timeoutSeconds": 5}
container["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
for variable in container["env"]:
    if variable["name"] == "ON_SIGTERM":
        variable["value"] = "drain"
lab.apply(deployment)
""",
)
