"""Task 8.2: servers see their clients' own addresses, and yet all pods have equal shares.

The check asks, from outside, every node that says it is healthy, as a load balancer does; then it replaces every pod
and asks again: a spread by luck does not outlive that.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies.crowds import PACKAGE, START_SECONDS
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.entries import CLIENT, Entries, ask_nodes
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab

REQUESTS = 400
ATTEMPTS = 3
"""To each node: 2 pods on one and 1 on the other are taken for even less than once in ten thousand runs, 3 and 2 less
than once in a hundred."""
PODS = 3


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("8.2/app"),
        "container_port": seed.number("8.2/container-port", 8001, 8999),
        "service": seed.name("8.2/service"),
        "service_port": seed.number("8.2/service-port", 9001, 9999),
        "pods": PODS,
    }


def start(lab: Lab, seed: Seed) -> None:
    """Three pods on two nodes, and a Service of type LoadBalancer with everything left at its default."""
    own = facts(seed)
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply(files.manifest(PACKAGE, "pods", **own))
    lab.apply(files.manifest(PACKAGE, "service", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=START_SECONDS)


def check(lab: Lab, seed: Seed) -> Result:
    """Ask the healthy nodes; when all is well, replace the pods and ask again."""
    own = facts(seed)
    try:
        deployment, service = lab.get(f"deployment/{own['app']}"), lab.get(f"service/{own['service']}")
    except NotFound:
        return Result("8.2", Outcome.CANNOT_CHECK, 'The task is not set up here; run start("8.2").')
    if untouched(deployment, service):
        return Result("8.2", Outcome.NOT_ATTEMPTED, "The Service and its pods are as you were given them.")
    if service["spec"]["type"] != "LoadBalancer":
        reason = "The Service is no longer of type LoadBalancer: no load balancer leads to it."
        return Result("8.2", Outcome.INCORRECT, reason)
    sticky = service["spec"].get("sessionAffinity") == "ClientIP"
    lab.wait(f"deployment/{own['app']}", "available")
    result = measured(lab, str(own["service"]), sticky=sticky, replaced=False)
    if not result:
        return result
    lab.delete(f"app={own['app']}")
    lab.wait(f"deployment/{own['app']}", "available", timeout=START_SECONDS)
    return measured(lab, str(own["service"]), sticky=sticky, replaced=True)


def measured(lab: Lab, service: str, *, sticky: bool, replaced: bool) -> Result:
    """Asked again while some are answered and some are not: a busy machine, or a node that has not heard yet."""
    for _ in range(ATTEMPTS):
        entries = ask_nodes(lab, service, REQUESTS)
        if entries.traffic.success in (0, 1):
            break
    return judge(entries, sticky=sticky, replaced=replaced)


def untouched(deployment: Object, service: Object) -> bool:
    """Whether everything that decides is as it was at the start."""
    spec = service["spec"]
    return (
        deployment["metadata"].get("generation", 1) == 1
        and spec["type"] == "LoadBalancer"
        and spec.get("externalTrafficPolicy") == "Cluster"
        and spec.get("sessionAffinity") == "None"
    )


def judge(entries: Entries, *, sticky: bool, replaced: bool) -> Result:
    """The outcome, from what clients got by the nodes that say they are healthy."""
    answered = entries.traffic.success == 1
    kept = entries.sources == {CLIENT}
    advertised = {entry.node for entry in entries.nodes if entry.health == 200}
    honest = bool(advertised) and advertised <= set(entries.homes.values())
    enough = len(entries.homes) >= PODS
    even = answered and entries.fair.even
    evidence = [
        Evidence("every request that came in by a healthy node was answered", answered),
        Evidence("the servers saw the client's own address in all of them", kept),
        Evidence("the pods have equal shares (χ² test, p > 0.001)", even),
        Evidence("only nodes with a ready pod of their own say that they are healthy", honest),
        Evidence(f"there are at least {PODS} pods", enough),
    ]
    measured = {
        "counts": entries.traffic.counts,
        "homes": dict(entries.homes),
        "sources": sorted(entries.sources),
        "p": entries.fair.p,
        "health": {entry.node: entry.health for entry in entries.nodes},
    }
    if all(item.good for item in evidence):
        evidence.append(Evidence("still so after every pod was replaced", replaced))
        reason = "Every client is known by its own address, and every pod has the same share."
        return Result("8.2", Outcome.CORRECT, reason, tuple(evidence), measured=measured)
    reason, advice = _why(answered, kept, enough, sticky)
    when = "After every pod was replaced: " if replaced else ""
    return Result("8.2", Outcome.INCORRECT, when + reason, tuple(evidence), advice, measured)


def _why(answered: bool, kept: bool, enough: bool, sticky: bool) -> tuple[str, str]:
    if not answered:
        return "Requests by healthy nodes are not answered.", "Compare the Service's selector and ports with the pods."
    if sticky:
        return (
            "sessionAffinity: ClientIP keeps all requests of a client that come in by a node on one pod.",
            "Affinity keeps clients apart; it changes no address and evens nothing out.",
        )
    if not kept:
        return "The servers take a node for their client.", "Which policy leaves the client's address alone?"
    if not enough:
        return f"There are fewer than {PODS} pods.", "The load is as it was; so many pods are needed for it."
    return (
        "The shares are not even: each node has the same part, and its pods divide it among them.",
        "When are equal parts of nodes also equal parts of pods?",
    )


TASK = Task(
    id="8.2",
    title="The client's address, and an even share",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Two wishes, two fields in two objects. First get the address right and look at the heat map of ask_nodes.",
        "Under Local a node's part is divided among its own pods. What has to be equal so that all pods get the same?",
        "Three pods on two nodes cannot be equal. Choose a number that can, and have the scheduler keep it so: "
        "topologySpreadConstraints in the pod template, by kubernetes.io/hostname. (DoNotSchedule counts the control "
        "plane too, which is tainted and stays at zero; ScheduleAnyway does what is possible.)",
    ),
    solution="""
deployment = lab.get("deployment/${app}")
pods = deployment["spec"]["template"]
pods["spec"]["topologySpreadConstraints"] = [{
    "maxSkew": 1,
    "topologyKey": "kubernetes.io/hostname",
    "whenUnsatisfiable": "ScheduleAnyway",
    "labelSelector": {"matchLabels": {"app": "${app}"}},
    "matchLabelKeys": ["pod-template-hash"],
}]
lab.apply({
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "${app}"},
    "spec": {"replicas": 4, "selector": deployment["spec"]["selector"], "template": pods},
})
lab.wait("deployment/${app}", "available")
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${service}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector:
    app: ${app}
  ports:
  - port: ${service_port}
    targetPort: ${container_port}
\"\"\")
""",
)
