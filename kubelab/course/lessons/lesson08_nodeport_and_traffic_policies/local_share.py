"""Task 8.1: predict a crowded pod's share under externalTrafficPolicy: Local, then bring it about."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course.catalogue import Question, Task
from kubelab.course.lessons.lesson08_nodeport_and_traffic_policies import crowds
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.entries import CLIENT, Entries, ask_nodes
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab

QUESTION = Question(
    "8.crowded",
    "externalTrafficPolicy: Local; each node gets equally many requests: what part of all answers comes from one of "
    "the pods that share a node?",
    0,
    100,
    unit="% of the answers",
)
CROWD = "crowd"


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and numbers."""
    return {
        "app": seed.name("8.1/app"),
        "container_port": seed.number("8.1/container-port", 8001, 8999),
        "service": seed.name("8.1/service"),
        "service_port": seed.number("8.1/service-port", 9001, 9999),
        "pods_on_worker": seed.choice("8.1/crowd", ("2", "3", "5")),
        "pods_on_worker2": 1,
    }


def secrets(seed: Seed) -> Mapping[str, object]:
    """The prediction."""
    return {"share": share(seed)}


def share(seed: Seed) -> int:
    """Percent of the answers that one of the crowded pods gives."""
    return round(50 / int(str(facts(seed)["pods_on_worker"])))


def start(lab: Lab, seed: Seed) -> None:
    """The pods, and no Service."""
    own = facts(seed)
    port, crowd = int(str(own["container_port"])), int(str(own["pods_on_worker"]))
    crowds.place(lab, str(own["app"]), crowd, port, CROWD)


def crowded_share(entries: Entries) -> int:
    """Percent of the answers that a pod of the crowd gave, on average over the crowd."""
    crowd = [pod for pod in entries.homes if pod.startswith(CROWD)]
    counts = entries.traffic.counts
    return round(100 * sum(counts.get(pod, 0) for pod in crowd) / max(1, sum(counts.values())) / max(1, len(crowd)))


def check(lab: Lab, seed: Seed) -> Result:
    """Ask every node from outside, then judge."""
    own = facts(seed)
    predicted = Book().last("prediction", QUESTION.id)
    if predicted is None:
        reason = f'There is no prediction yet; write predict("{QUESTION.id}", …) first.'
        return Result("8.1", Outcome.NOT_ATTEMPTED, reason)
    try:
        service = lab.get(f"service/{own['service']}")["spec"]
    except NotFound:
        return Result("8.1", Outcome.NOT_ATTEMPTED, f"There is no Service {own['service']} yet.")
    if service["type"] == "ClusterIP":
        return Result("8.1", Outcome.INCORRECT, "The Service has no port at the nodes: nobody outside can reach it.")
    return judge(ask_nodes(lab, str(own["service"])), int(predicted), share(seed))


def judge(entries: Entries, predicted: int, right: int) -> Result:
    """The outcome, from what clients outside got."""
    busy = [entry for entry in entries.nodes if entry.node in entries.homes.values()]
    idle = [entry for entry in entries.nodes if entry.node not in entries.homes.values()]
    answered = bool(busy) and all(entry.traffic.success == 1 for entry in busy)
    kept = entries.sources == {CLIENT}
    silent = all(entry.traffic.success == 0 for entry in idle)
    evidence = (
        Evidence("nodes with pods answered every request", answered),
        Evidence("the servers saw the client's own address", kept),
        Evidence("nodes without a pod answered none", silent),
        Evidence("a crowded pod's share was predicted", predicted == right),
    )
    measured = {"counts": entries.traffic.counts, "sources": sorted(entries.sources), "predicted": predicted}
    if all(item.good for item in evidence):
        reason = f"Each node has one half, and a pod shares it with its neighbours: {right} % for each of the crowd."
        return Result("8.1", Outcome.CORRECT, reason, evidence, measured=measured)
    if not answered:
        reason, advice = "Not every request was answered.", "Compare the Service's selector and targetPort."
    elif not kept or not silent:
        reason, advice = "The servers take a node for their client.", "Which policy leaves the client's address alone?"
    else:
        reason, advice = "The Service is right, the prediction is not.", "Two nodes, one half each: who shares a half?"
    return Result("8.1", Outcome.INCORRECT, reason, evidence, advice, measured)


TASK = Task(
    id="8.1",
    title="A crowded node under Local",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Two nodes have pods. How much of the answered traffic does each node get, and who divides it there?",
        "type: NodePort is enough here; you need no nodePort of your own choice. One more field of the spec decides "
        "whom the servers see.",
        "The field is externalTrafficPolicy, and its default is the other value.",
    ),
    solution="""
predict("8.crowded", ${share})
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${service}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector:
    app: ${app}
  ports:
  - port: ${service_port}
    targetPort: ${container_port}
\"\"\")
""",
)
