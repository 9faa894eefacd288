"""Task 5.2: after a scale-up every pod does its part, at the same rate of requests.

Start state: the customer keeps its connections for ever. The check scales two pods to six and reads from the servers'
own counters who answered how many requests from then on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson05_connections_are_not_requests.counters import Counted, served
from kubelab.course.lessons.lesson05_connections_are_not_requests.reconnecting import FEW, PACKAGE, servers
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab import waiting
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError, NotFound
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pods
from kubelab.lab.statistics import FALSE_ALARM, chi_square_p

MANY = 6
RATE = 300
"""Requests a second: 1,200 take four seconds."""
HELD = 0.8
"""The part of the rate that must arrive at the servers: less than all, because machines are busy at times."""
ENOUGH = 1200
SPREAD_SECONDS = 8.0
"""How long all pods may take to get their first request: more than a name server's cached answer lives (5 s)."""
WINDOW_SECONDS = ENOUGH / (HELD * RATE) + 2
"""How long the counting may take; who is slower does not hold the rate."""
SETTLED = 100
"""Requests before the scale-up that show that the customer works."""
SETTLE_SECONDS = 5.0


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names, ports and numbers."""
    return {
        "app": seed.name("5.2/app"),
        "container_port": seed.number("5.2/container-port", 8001, 8999),
        "service": seed.name("5.2/service"),
        "service_port": seed.number("5.2/service-port", 9001, 9999),
        "connections": seed.number("5.2/connections", 40, 80),
        "rate": RATE,
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two pods, their Service, and a customer that keeps its connections."""
    own = facts(seed)
    servers(lab, own)
    lab.wait(f"service/{own['service']}", "answers")
    lab.apply(files.manifest(PACKAGE, "customer", target=f"{own['service']}:{own['service_port']}", **own))
    lab.wait("deployment/customer", "available", timeout=180)


def check(lab: Lab, seed: Seed) -> Result:
    """Scale two pods to six while the customer works, then judge what the servers counted."""
    own = facts(seed)
    try:
        customer = lab.get("deployment/customer")
        deployment = lab.get(f"deployment/{own['app']}")
    except NotFound:
        return Result("5.2", Outcome.CANNOT_CHECK, 'The task is not set up here; run start("5.2").')
    plan = Plan(customer, deployment, lab.find("services"))
    if plan.untouched(own):
        return Result("5.2", Outcome.NOT_ATTEMPTED, "The customer and its servers are as you were given them.")
    if plan.customers:
        lab.wait("deployment/customer", "available")
    seen = _scale_up(lab, str(own["app"]))
    if not seen.complete and plan.may_work:
        # A busy machine can be late once; connections that are kept for ever are as idle the second time.
        seen = _scale_up(lab, str(own["app"]))
    return judge(seen, plan, _last_report(lab))


@dataclass(frozen=True)
class Plan:
    """What the learner has written: looked at only to explain what was counted."""

    customer: Object
    servers: Object
    services: list[Object]

    @property
    def customers(self) -> int:
        """How many customers there are to be."""
        return int(self.customer["spec"].get("replicas", 1))

    @property
    def sticky(self) -> bool:
        """Whether a Service keeps a client on one pod."""
        return any(service["spec"].get("sessionAffinity") == "ClientIP" for service in self.services)

    @property
    def rate(self) -> float:
        """Requests a second that the customers are to send, together."""
        return float(_environment(self.customer).get("RATE", "0")) * self.customers

    @property
    def may_work(self) -> bool:
        """Whether nothing in it says already that the check will fail."""
        return bool(self.customers) and self.rate >= RATE and not self.sticky

    def untouched(self, own: Mapping[str, object]) -> bool:
        """Whether everything is as it was at the start; how many servers there are does not count."""
        return (
            self.customer["metadata"].get("generation", 1) == 1
            and "MAX_CONNECTION_SECONDS" not in _environment(self.servers)
            and [service["metadata"]["name"] for service in self.services] == [own["service"]]
            and not self.sticky
            and self.servers["spec"].get("replicas", 1) in (FEW, MANY)
        )


@dataclass(frozen=True)
class ScaleUp:
    """What was counted after the scale-up."""

    window: Counted
    """By UID of the pods."""

    @property
    def complete(self) -> bool:
        """Whether every pod had work, and there was enough of it to judge."""
        return self.window.total >= ENOUGH and all(self.window.requests.values())

    @property
    def p(self) -> float:
        """The probability of a spread at least this uneven if every request went to any pod alike."""
        return chi_square_p(list(self.window.requests.values()))

    @property
    def rate(self) -> float:
        """Requests a second that arrived."""
        return self.window.total / self.window.at if self.window.at else 0.0


def judge(seen: ScaleUp, plan: Plan, report: Mapping[str, int]) -> Result:
    """The outcome, from the servers' counters; ``plan`` and ``report`` (the customer's own) only explain it."""
    idle = sum(not count for count in seen.window.requests.values())
    counted = seen.window.total >= ENOUGH
    held = seen.rate >= HELD * RATE and plan.rate >= RATE
    even = counted and not idle and seen.p > FALSE_ALARM
    evidence = (
        Evidence(f"the servers counted {ENOUGH:,} requests after the scale-up to {MANY} pods", counted),
        Evidence(f"every one of the {MANY} pods answered some of them", counted and not idle),
        Evidence("they are spread as evenly as if chance dealt every single one (χ² test, p > 0.001)", even),
        Evidence(f"they came at the customer's {RATE} a second", held),
    )
    measured = {
        "requests": sorted(seen.window.requests.values()),
        "connections": sorted(seen.window.connections.values()),
        "p": seen.p,
        "rate": seen.rate,
        "report": dict(report),
    }
    if even and held:
        reason = f"The new pods had work at once: {MANY} pods share the requests evenly, and none is missing."
        return Result("5.2", Outcome.CORRECT, reason, evidence, measured=measured)
    missing = _missing_load(seen, plan, report, held)
    if missing is None and not idle and (even or not counted):
        reason = f"This machine is too busy for the customer's {RATE} requests a second."
        return Result("5.2", Outcome.CANNOT_CHECK, reason, evidence, "Close what else runs and check again.", measured)
    reason, advice = missing or _uneven(plan, idle)
    return Result("5.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _missing_load(seen: ScaleUp, plan: Plan, report: Mapping[str, int], held: bool) -> tuple[str, str] | None:
    """Why fewer requests arrive than before, when that is the learner's doing."""
    if held:
        return None
    if not plan.customers:
        return "There is no customer any more, so there is no load.", "Every request of before has to be sent."
    if plan.rate < RATE:
        return f"Fewer than {RATE} requests a second are sent.", "Spreading them is the task, not sending fewer."
    if _failures(report) or not seen.window.total:
        words = ", ".join(sorted(_failures(report))) or "nothing arrives"
        return f"The customer's requests fail ({words}).", "Compare its TARGET with the Services' names and ports."
    return None


def _uneven(plan: Plan, idle: int) -> tuple[str, str]:
    if idle and plan.sticky:
        return (
            "sessionAffinity: ClientIP keeps every connection of a client on one pod: the opposite of what is asked.",
            "What picks a pod for each request?",
        )
    if idle:
        return (
            "Some of the new pods got nothing: the customer goes on over connections that it opened before they came.",
            "The check scales when it begins, so what was opened anew before does not help. "
            "What ends a connection later on, or picks a pod for each request?",
        )
    return (
        "All pods work, but not evenly: many requests share a connection, and only a connection picks a pod.",
        "How many picks are behind 1,200 requests? The lesson's picture of pools says how even so many are.",
    )


def _scale_up(lab: Lab, app: str) -> ScaleUp:
    """From two pods to six, and count: until every pod had a request, and from then on, for a bounded time each."""
    lab.scale(f"deployment/{app}", FEW)
    few = _staying(lab, app)
    settled = _await_requests(lab, few, served(lab, few), SETTLED, SETTLE_SECONDS)
    if not settled.total:
        return ScaleUp(settled)
    lab.scale(f"deployment/{app}", MANY)
    pods = _staying(lab, app)
    first = served(lab, pods)
    if not _all_reached(lab, pods, first):
        return ScaleUp(served(lab, pods).since(first))
    return ScaleUp(_await_requests(lab, pods, served(lab, pods), ENOUGH, WINDOW_SECONDS))


def _staying(lab: Lab, app: str) -> Pods:
    pods = Pods(tuple(pod for pod in lab.pods(f"app={app}") if not pod.terminating))
    if not pods:
        raise LabError(f"The servers of {app} have no pods; lab.events() says why.")
    return pods


def _await_requests(lab: Lab, pods: Pods, begin: Counted, enough: int, seconds: float) -> Counted:
    """What the pods counted since ``begin``, as soon as it is enough or the time is up."""
    seen = begin.since(begin)

    def look() -> waiting.Seen:
        nonlocal seen
        seen = served(lab, pods).since(begin)
        return waiting.Seen(seen.total >= enough or seen.at > seconds, f"{seen.total} requests")

    waiting.until(look, "The servers do not say what they counted", seconds + 30)
    return seen


def _all_reached(lab: Lab, pods: Pods, begin: Counted) -> bool:
    """Whether every pod gets a request after ``begin``, before the time is up."""
    reached = 0

    def look() -> waiting.Seen:
        nonlocal reached
        seen = served(lab, pods).since(begin)
        reached = sum(count > 0 for count in seen.requests.values())
        return waiting.Seen(reached == len(pods) or seen.at > SPREAD_SECONDS, f"{reached} pods")

    waiting.until(look, "The servers do not say what they counted", SPREAD_SECONDS + 30)
    return reached == len(pods)


def _last_report(lab: Lab) -> dict[str, int]:
    """The customer's own newest line: requests sent, answered, and what the others met."""
    for pod in lab.pods("app=customer"):
        lines = [] if pod.terminating else lab.logs(pod, tail=5).splitlines()
        for line in reversed(lines):
            if line.startswith("{") and line.endswith("}"):
                report: dict[str, int] = json.loads(line)
                return report
    return {}


def _failures(report: Mapping[str, int]) -> set[str]:
    return set(report) - {"sent", "answered"}


def _environment(deployment: Object) -> dict[str, str]:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {entry["name"]: str(entry.get("value", "")) for entry in container.get("env") or ()}


TASK = Task(
    id="5.2",
    title="Six pods, six equal parts",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "The Service picks once a connection. Either there have to be more picks, or somebody else has to do them.",
        "The customer's program has two switches that matter, both environment variables: REQUESTS_PER_CONNECTION, and "
        "TAKE_TURNS. Its source is in the lesson's folder: customer.py.",
        "To take turns, a client has to know the addresses of all pods. A Service's name gives one address; which kind "
        "of Service has a name that gives all of them?",
        "A headless Service (clusterIP: None) has no port of its own in between: clients connect to the pods, at the "
        "port where ${app} listens. Then tell the customer: its TARGET, and to take turns.",
    ),
    solution="""
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${service}-pods
spec:
  clusterIP: None
  selector:
    app: ${app}
  ports:
  - port: ${container_port}
\"\"\")
lab.set_env("deployment/customer", TARGET="${service}-pods:${container_port}", TAKE_TURNS="yes")
""",
)
