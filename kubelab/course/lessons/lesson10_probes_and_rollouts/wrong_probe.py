"""Task 10.1: one of an app's probes asks the wrong thing; found by what happens to the pods, and mended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson10_probes_and_rollouts import apps, rollouts
from kubelab.course.lessons.lesson10_probes_and_rollouts.health import probe_failures
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab import waiting
from kubelab.lab.api import Object
from kubelab.lab.errors import TimedOut
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pods

REPLICAS = 2
LIVENESS, READINESS = "liveness", "readiness"
QUIET_REQUESTS, RATE = 150, 30
"""Five seconds of requests, in which nothing is to be restarted."""
PATIENCE_SECONDS = 40.0
"""A pod that is sick has to be spared, and one that hangs to be restarted, within this time."""
SETTLE_SECONDS = 40.0


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("10.1/app"),
        "container_port": seed.number("10.1/container-port", 8001, 8999),
        "service": seed.name("10.1/service"),
        "service_port": seed.number("10.1/service-port", 9001, 9999),
    }


def fault(seed: Seed) -> str:
    """Which of the two probes is wrong."""
    return seed.choice("10.1/fault", (LIVENESS, READINESS))


def probes(seed: Seed) -> Object:
    """The app's probes as they are at the start."""
    port = int(str(facts(seed)["container_port"]))
    wrong = fault(seed)
    return {
        "livenessProbe": apps.http("/live", port=port + (wrong == LIVENESS)),
        "readinessProbe": apps.http("/readyz" if wrong == READINESS else "/ready", port=port),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two pods and a Service; one probe is wrong."""
    own = facts(seed)
    app, port = str(own["app"]), int(str(own["container_port"]))
    lab.apply(apps.programs())
    lab.apply(apps.deployment(app, port=port, replicas=REPLICAS, probes=probes(seed)))
    lab.apply(apps.service(app, str(own["service"]), port=int(str(own["service_port"])), target=port))

    def look() -> waiting.Seen:
        pods = lab.pods(f"app={app}")
        running = len(pods) == REPLICAS and all(pod.phase == "Running" for pod in pods)
        return waiting.Seen(running and bool(probe_failures(lab).rows), waiting.pods_in_words(pods))

    waiting.until(look, f"The pods of {app} do not run, or no probe fails", apps.START_SECONDS)


@dataclass(frozen=True)
class Seen:
    """All that is judged."""

    answered: float
    """The share of requests that were answered while nothing was wrong."""
    pods: int
    """How many pods answered them."""
    restarts: int
    """Containers that were restarted meanwhile."""
    spared: bool
    """Whether a pod that said it was not ready got no more requests."""
    left_alone: bool
    """Whether that pod was not restarted for it."""
    revived: bool
    """Whether a pod that hung was restarted."""


def check(lab: Lab, seed: Seed) -> Result:
    """Send requests while all is well, then make one pod sick and another hang."""
    own = facts(seed)
    app, target = str(own["app"]), f"{own['service']}:{own['service_port']}"
    found = lab.find_one(f"deployment/{app}")
    if found is None:
        return Result("10.1", Outcome.CANNOT_CHECK, f'There is no Deployment {app} here; run start("10.1").')
    if apps.unchanged(probes(seed), apps.container(found)):
        return Result("10.1", Outcome.NOT_ATTEMPTED, "Both probes ask what they asked at the start.")
    try:
        lab.wait(f"deployment/{app}", "available", timeout=SETTLE_SECONDS)
    except TimedOut as error:
        return Result(
            "10.1", Outcome.INCORRECT, f"The Deployment does not become available: {error}",
            advice="lab.events() says what the probes got; lab.pods() what became of the pods.",
        )  # fmt: skip
    rollouts.fresh_client(lab)
    return judge(_seen(lab, app, target))


def _seen(lab: Lab, app: str, target: str) -> Seen:
    _await(lab, lambda: lab.probe(target, n=4, timeout=5).success == 1, "is not answered")
    before = _restarts(lab.pods(f"app={app}"))
    heard: list[bool] = []
    stream = lab.stream(
        target, rate=RATE, timeout=rollouts.PATIENCE_SECONDS, heard=lambda answer: heard.append(answer.ok)
    )
    _await(lab, lambda: len(heard) >= QUIET_REQUESTS, "gets no requests")
    quiet = stream.stop()
    pods = [pod for pod in lab.pods(f"app={app}") if not pod.terminating]
    restarts = sum(_restarts(Pods(pods)).values()) - sum(before.values())
    if len(pods) < REPLICAS or not all(pod.ready for pod in pods):
        return Seen(quiet.success, len(quiet.pods), restarts, False, False, False)
    sick, hung = pods[0], pods[1]
    lab.probe(sick, n=1, path="/sick")
    spared = _holds(lab, lambda: sick.alias not in lab.probe(target, n=20, timeout=5).pods)
    left_alone = _restarts(lab.pods(f"app={app}")).get(sick.uid) == sick.restarts
    lab.probe(sick, n=1, path="/well")
    lab.probe(hung, n=1, path="/hang")
    revived = _holds(lab, lambda: _restarts(lab.pods(f"app={app}")).get(hung.uid, 0) > hung.restarts)
    return Seen(quiet.success, len(quiet.pods), restarts, spared, left_alone, revived)


def judge(seen: Seen) -> Result:
    """The outcome, from what happened to the pods and to the requests."""
    evidence = (
        Evidence("every request was answered", seen.answered == 1),
        Evidence("both pods answered", seen.pods >= REPLICAS),
        Evidence("no container was restarted meanwhile", seen.restarts == 0),
        Evidence("a pod that says that it is not ready gets no requests", seen.spared),
        Evidence("and is not restarted for it", seen.left_alone),
        Evidence("a pod that hangs is restarted", seen.revived),
    )
    measured = {"answered": seen.answered, "pods": seen.pods, "restarts": seen.restarts}
    if all(line.good for line in evidence):
        reason = "The probes ask the right things: one spares a pod that is not ready, one revives a pod that hangs."
        return Result("10.1", Outcome.CORRECT, reason, evidence, measured=measured)
    reason, advice = _why(seen)
    return Result("10.1", Outcome.INCORRECT, reason, evidence, advice, measured)


def _why(seen: Seen) -> tuple[str, str]:
    if seen.restarts:
        return "Containers are restarted although nothing is wrong with them.", "Which probe can do that?"
    if seen.answered < 1 or seen.pods < REPLICAS:
        return "Not all pods answer.", "lab.endpoints says who gets requests, lab.events why somebody does not."
    if not seen.spared:
        return (
            "A pod that said that it was not ready went on getting requests.",
            "A probe that is taken away asks nothing wrong, and nothing right either. The app says on /ready whether "
            "it wants requests.",
        )
    if not seen.left_alone:
        return (
            "A pod that only said that it was not ready was restarted.",
            "Two questions, two paths: /ready is for readiness, /live for liveness.",
        )
    return "A pod that hung was not restarted.", "The app says on /live whether it is alive. Who asks there?"


def _restarts(pods: Pods) -> dict[str, int]:
    return {pod.uid: pod.restarts for pod in pods}


def _holds(lab: Lab, condition: Callable[[], bool]) -> bool:
    try:
        _await(lab, condition, "")
    except TimedOut:
        return False
    return True


def _await(lab: Lab, condition: Callable[[], bool], what: str) -> None:
    waiting.until(lambda: waiting.Seen(condition(), "nothing else"), f"The Service {what}", PATIENCE_SECONDS)


TASK = Task(
    id="10.1",
    title="A probe that asks the wrong thing",
    check=check,
    start=start,
    facts=facts,
    secrets=lambda seed: {"probe": f"{fault(seed)}Probe"},
    hints=(
        "What is it that happens to the pods: are they restarted, or do they get no requests? Only one of the two "
        "probes can do the one, only the other the other.",
        'probe_failures(lab) says what the probes got; applied(lab, "deployment/${app}") has what they ask for. '
        "The app's paths are /live and /ready, on port ${container_port}.",
        "One number or one word is wrong. Mend that, in the Deployment's template, and leave both probes where they "
        "are: the check makes a pod sick, and another one hang.",
    ),
    solution="""
# The ${probe} was wrong. Both, as they should be:
deployment = applied(lab, "deployment/${app}")
container = deployment["spec"]["template"]["spec"]["containers"][0]
container["livenessProbe"]["httpGet"] = {"path": "/live", "port": ${container_port}}
container["readinessProbe"]["httpGet"] = {"path": "/ready", "port": ${container_port}}
lab.apply(deployment)
""",
)
