"""Task 10.3: requests that take seconds are cut off at the end of their pod: its grace period is too short."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson10_probes_and_rollouts import apps, rollouts
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab import waiting
from kubelab.lab.api import Object
from kubelab.lab.deaths import Death
from kubelab.lab.errors import TimedOut
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod
from kubelab.lab.traffic import Traffic
from kubelab.lab.witnesses import GONE

REPLICAS = 2
PRE_STOP, GRACE = 2, 4
LONG_SECONDS = 5
AT_MOST_SECONDS = 20
BUSY_SECONDS = 10.0
RATE = 50


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("10.3/app"),
        "container_port": seed.number("10.3/container-port", 8001, 8999),
        "service": seed.name("10.3/service"),
        "service_port": seed.number("10.3/service-port", 9001, 9999),
        "longest_request": f"{LONG_SECONDS} s",
    }


def deployment(seed: Seed) -> Object:
    """The app as it is at the start: it would drain, if it were given the time."""
    own = facts(seed)
    return apps.deployment(
        str(own["app"]), port=int(str(own["container_port"])), replicas=REPLICAS, pre_stop=PRE_STOP, grace=GRACE,
        ON_SIGTERM="drain",
    )  # fmt: skip


def start(lab: Lab, seed: Seed) -> None:
    """Two pods and a Service that answers."""
    own = facts(seed)
    service = apps.service(
        str(own["app"]), str(own["service"]), port=int(str(own["service_port"])), target=int(str(own["container_port"]))
    )
    apps.set_up(lab, deployment(seed), service)


@dataclass(frozen=True)
class Ended:
    """All that is judged: the end of one pod that was answering a long request."""

    long_answered: bool
    failed: int
    """Requests over new connections that failed meanwhile."""
    death: Death | None

    slow: bool = False
    """Whether the machine was too busy to blame anybody."""

    @property
    def well(self) -> bool:
        """Whether everything was answered, and the process ended by itself in time."""
        return self.long_answered and not self.failed and not self.killed and self.seconds <= AT_MOST_SECONDS

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended the process, or its end was not seen."""
        return self.death is None or self.death.killed

    @property
    def seconds(self) -> float:
        """From the deletion until it was gone."""
        return self.death.when.get(GONE, float("inf")) if self.death else float("inf")


def check(lab: Lab, seed: Seed) -> Result:
    """Delete a pod that is answering a long request."""
    own = facts(seed)
    app, service = str(own["app"]), str(own["service"])
    found = lab.find_one(f"deployment/{app}")
    if found is None:
        return Result("10.3", Outcome.CANNOT_CHECK, f'There is no Deployment {app} here; run start("10.3").')
    made = deployment(seed)["spec"]["template"]["spec"]
    pod, first = found["spec"]["template"]["spec"], apps.container(found)
    watched = ("lifecycle", "env", "readinessProbe")
    same = all(apps.unchanged(made["containers"][0][key], first.get(key)) for key in watched)
    if same and pod["terminationGracePeriodSeconds"] == GRACE:
        return Result("10.3", Outcome.NOT_ATTEMPTED, "The pods end as they did at the start.")
    lab.wait(f"deployment/{app}", "available", timeout=AT_MOST_SECONDS * 2)
    try:
        ended = _ended(lab, app, service)
        may_work = apps.drains(found) and pod["terminationGracePeriodSeconds"] > LONG_SECONDS
        if may_work and not ended.well:
            # A busy machine can be late once; a grace period that is too short is so the second time, too.
            lab.wait(f"deployment/{app}", "available", timeout=AT_MOST_SECONDS * 2)
            ended = _ended(lab, app, service)
        return judge(replace(ended, slow=may_work and ended.slow))
    except TimedOut as error:
        return Result(
            "10.3", Outcome.INCORRECT, f"The pod did not come to its end: {error}",
            advice=f"It has to be gone after {AT_MOST_SECONDS} s.",
        )  # fmt: skip


def _ended(lab: Lab, app: str, service: str) -> Ended:
    rollouts.fresh_client(lab)
    victim = next(pod for pod in lab.pods(f"app={app}") if pod.ready and not pod.terminating)
    client, rate = {rollouts.NEW: rollouts.address(lab, service)}, rollouts.easy_rate(lab, service, RATE)
    patience = rollouts.PATIENCE_SECONDS
    watch = lab.watch_pods(f"app={app}", client, rate=rate, timeout=patience, service=service)
    with ThreadPoolExecutor(1) as pool, watch as record:
        request = pool.submit(_long_request, lab, victim)
        waiting.until(lambda: _busy(lab, victim), f"{victim.alias} gets no long request", BUSY_SECONDS)
        lab.delete(victim)
        answered = request.result().success == 1
    death = next((each for each in record.deaths if each.pod == victim.alias), None)
    return Ended(answered, record.failed(rollouts.NEW), death, rollouts.too_slow(record))


def _long_request(lab: Lab, pod: Pod) -> Traffic:
    return lab.probe(pod, n=1, path=f"/slow/{LONG_SECONDS}", timeout=2 * LONG_SECONDS)


def _busy(lab: Lab, pod: Pod) -> waiting.Seen:
    return waiting.Seen(lab.probe(pod, n=1, path="/busy").success == 1, "it is idle")


def judge(ended: Ended) -> Result:
    """The outcome, from what the clients got and from how the process ended."""
    evidence = (
        Evidence(f"the request of {LONG_SECONDS} s was answered, although its pod was deleted", ended.long_answered),
        Evidence("no request over a new connection failed", ended.failed == 0),
        Evidence("the process ended by itself, and was not killed", not ended.killed),
        Evidence(f"its pod was gone within {AT_MOST_SECONDS} s", ended.seconds <= AT_MOST_SECONDS),
    )
    measured = {"failed": ended.failed, "seconds": ended.seconds, "killed": ended.killed}
    if ended.well:
        reason = "What the pod had begun it finished, and then it went by itself."
        return Result("10.3", Outcome.CORRECT, reason, evidence, measured=measured)
    if ended.slow:
        return Result("10.3", Outcome.CANNOT_CHECK, rollouts.BUSY, evidence, rollouts.REST, measured)
    reason, advice = _why(ended)
    return Result("10.3", Outcome.INCORRECT, reason, evidence, advice, measured)


def _why(ended: Ended) -> tuple[str, str]:
    if ended.killed and not ended.long_answered:
        return (
            "The process was killed in the middle of the long request.",
            "The grace period begins with the deletion, and preStop is part of it. Add up what has to fit.",
        )
    if not ended.long_answered:
        return "The process ended by itself in the middle of the long request.", "What does it do on SIGTERM?"
    if ended.failed:
        return "The long request was answered, but new ones failed meanwhile.", "What was the preStop hook for?"
    if ended.killed:
        return "The request was answered, but the process had to be killed.", "What does it do on SIGTERM?"
    return f"It took more than {AT_MOST_SECONDS} s until the pod was gone.", "What is it waiting for?"


TASK = Task(
    id="10.3",
    title="The last request takes five seconds",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Delete a pod yourself while it is asked for /slow/5, and look at its end: record.deaths. Who ended it?",
        "Three times follow each other: the preStop hook, the app's own two seconds of draining, and the rest of the "
        "longest request. All of them have to fit between the deletion and SIGKILL.",
        "terminationGracePeriodSeconds is a field of the pod's spec, beside containers.",
    ),
    solution="""
deployment = applied(lab, "deployment/${app}")
deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 15
lab.apply(deployment)
""",
)
