"""Task 2.1: one Service in front of two versions of an app, which listen on different ports of the same name."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course.catalogue import Question, Task
from kubelab.course.lessons.lesson02_services_and_endpointslices import apps, behaviour
from kubelab.course.lessons.lesson02_services_and_endpointslices.apps import Version
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Traffic

QUESTION = Question(
    "2.slices", "Three pods, two of them on one port and one on another: how many EndpointSlices?", 0, 4, unit="slices"
)
TEAMS = ("billing", "catalogue", "delivery", "payments", "search", "stock")
PORT_NAMES = ("api", "main", "front", "serve", "query")
SETTLED_SECONDS = 3
"""How long the nodes may take to learn of a Service that was applied a moment ago."""


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and port."""
    return {
        "app": seed.name("2.1/app"),
        "service": seed.name("2.1/service"),
        "service_port": seed.number("2.1/service-port", 9001, 9999),
    }


def versions(seed: Seed) -> tuple[Version, ...]:
    """The old and the new version of the app, and an app of the same team."""
    app, port = str(facts(seed)["app"]), seed.number("2.1/port", 8001, 8499)
    named, team, other = seed.choice("2.1/port-name", PORT_NAMES), seed.choice("2.1/team", TEAMS), "reports"
    return (
        Version(f"{app}-old", app, "old", team, 2, port, named),
        Version(f"{app}-new", app, "new", team, 1, port + seed.number("2.1/step", 1, 400), named),
        Version(other, other, "old", team, 1, port, named),
    )


def secrets(seed: Seed) -> Mapping[str, object]:
    """What the learner reads from the Deployments."""
    return {"port_name": versions(seed)[0].port_name}


def start(lab: Lab, seed: Seed) -> None:
    """Four pods, and no Service."""
    apps.start(lab, versions(seed))


def check(lab: Lab, seed: Seed) -> Result:
    """Ask the Service as a client does, then judge."""
    own = facts(seed)
    if apps.missing(lab, versions(seed)):
        return Result("2.1", Outcome.CANNOT_CHECK, 'The pods of this task are not here; set it up with start("2.1").')
    if Book().last("prediction", QUESTION.id) is None:
        return Result(
            "2.1", Outcome.NOT_ATTEMPTED, f'There is no prediction yet; write predict("{QUESTION.id}", …) first.'
        )
    service = lab.find_one(f"service/{own['service']}")
    if service is None:
        return Result("2.1", Outcome.NOT_ATTEMPTED, f"There is no Service {own['service']} yet.")
    if apps.changed(lab, versions(seed)):
        return Result(
            "2.1", Outcome.INCORRECT, "A Deployment is no longer what it was; only the Service is yours to write."
        )
    uids = behaviour.own_pods(lab, str(own["app"]))
    traffic = behaviour.ask_until_settled(lab, f"{own['service']}:{own['service_port']}", uids, SETTLED_SECONDS)
    return judge(traffic, uids, behaviour.wiring(lab, str(own["service"])))


def judge(traffic: Traffic, own: frozenset[str], wiring: behaviour.Wiring) -> Result:
    """The outcome, from the answers; ``own`` are the UIDs of the pods that should answer."""
    seen = behaviour.seen(traffic, own)
    heard = {answer.uid for answer in traffic.answers if answer.ok}
    evidence = (
        Evidence("every request was answered", traffic.success == 1),
        Evidence(f"all {len(own)} pods of both versions answered", own <= heard),
        Evidence("nobody else answered", heard <= own),
    )
    measured = {"success": traffic.success, "counts": traffic.counts, "errors": traffic.errors, "seen": seen}
    if all(item.good for item in evidence):
        reason = "The Service reaches both versions, each at its own port, and nobody else."
        return Result("2.1", Outcome.CORRECT, reason, evidence, measured=measured)
    reason = wiring.diagnosis(seen) if seen != behaviour.ANSWERED else "The Service reaches only some of the pods."
    advice = "Put lab.endpoints(…) beside offers(lab): whose address is there, and at which port?"
    return Result("2.1", Outcome.INCORRECT, reason, evidence, advice, measured)


TASK = Task(
    id="2.1",
    title="One Service, two versions",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Two questions, one after the other: which label do your three pods have that no other pod has? And what do "
        "the old and the new version have in common about their port?",
        "offers(lab) shows labels and ports. A label that a fourth pod has too is too broad; the version is too "
        "narrow.",
        "Every container gives its port a name besides the number. targetPort takes the one or the other, and a name "
        "is looked up pod by pod.",
    ),
    solution="""
predict("2.slices", 2)
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${service}
spec:
  selector:
    app: ${app}
  ports:
  - port: ${service_port}
    targetPort: ${port_name}
\"\"\")
""",
)
