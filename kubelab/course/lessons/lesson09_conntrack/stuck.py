"""Task 9.2: UDP clients that stay where they should not, for one of two reasons; by the learner's seed.

``slice``     the addresses were written down by hand, and the pods have been replaced since
``affinity``  sessionAffinity: ClientIP, and all clients come from one address: one pod does all the work

The check deletes the pod that answers, three times, and then counts who answers datagrams from fresh ports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson09_conntrack.one_port import BOUND_SECONDS, PACKAGE, await_answers
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.datagrams import Datagrams
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.statistics import FALSE_ALARM, chi_square_p

SLICE, AFFINITY = "slice", "affinity"
ROUNDS = 3
ENOUGH = 100
"""Datagrams from fresh ports that are counted at the end."""
RATE = 40
PODS = 2
BY_HAND = "written-by-hand"


@dataclass(frozen=True)
class Measured:
    """What the check saw: the rounds' delays (seconds; None: never answered) and who answered at the end."""

    delays: tuple[float | None, ...]
    counts: tuple[int, ...]
    """Answers of each live pod to datagrams from fresh ports."""
    lost: int
    """Datagrams from fresh ports that nobody answered."""


def fault(seed: Seed) -> str:
    """Which of the two faults this learner has."""
    return seed.choice("9.2/fault", (SLICE, AFFINITY))


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("9.2/app"),
        "container_port": seed.number("9.2/container-port", 8001, 8999),
        "service": seed.name("9.2/service"),
        "service_port": seed.number("9.2/service-port", 9001, 9999),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two pods and a Service with its fault."""
    own = facts(seed)
    lab.apply(files.manifest(PACKAGE, "echo", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)
    service = files.manifest(PACKAGE, "service", affinity="None", protocol="UDP", **own)
    if fault(seed) == AFFINITY:
        service[0]["spec"]["sessionAffinity"] = "ClientIP"
        lab.apply(service)
        await_answers(lab, f"{own['service']}:{own['service_port']}")
        return
    del service[0]["spec"]["selector"]
    lab.apply([*service, by_hand(own, sorted(lab.pods(f"app={own['app']}").ips))])
    before = lab.pods(f"app={own['app']}")
    lab.restart(f"deployment/{own['app']}")
    for pod in before:
        lab.wait(f"pod/{pod.name}", "deleted")


def by_hand(own: Mapping[str, object], addresses: list[str]) -> Object:
    """An EndpointSlice as somebody writes it who has looked the addresses up once."""
    labels = {"kubernetes.io/service-name": own["service"], "endpointslice.kubernetes.io/managed-by": "somebody"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{own['service']}-{BY_HAND}", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": own["container_port"], "protocol": "UDP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def check(lab: Lab, seed: Seed) -> Result:
    """Delete the pod that answers, three times, and count in the end."""
    own = facts(seed)
    deployment, service = lab.find_one(f"deployment/{own['app']}"), lab.find_one(f"service/{own['service']}")
    if deployment is None:
        return Result("9.2", Outcome.CANNOT_CHECK, 'The pods of this task are not here; set it up with start("9.2").')
    if service is None:
        return Result("9.2", Outcome.INCORRECT, f"There is no Service {own['service']} any more.")
    pods = deployment["spec"].get("replicas", 1)
    stale = _by_hand(lab, str(own["service"]))
    if _untouched(lab, seed, service, pods):
        return Result("9.2", Outcome.NOT_ATTEMPTED, "The Service is as you were given it.")
    if pods < PODS:
        return Result("9.2", Outcome.INCORRECT, f"There are fewer than the {PODS} pods of before.")
    sticky = service["spec"].get("sessionAffinity") == "ClientIP"
    result = judge(measure(lab, own), bool(stale), sticky)
    if result.outcome is Outcome.CORRECT or stale or sticky:
        return result
    # Nothing that was written explains it. Chance and a busy machine do not come twice, what is wrong does.
    return judge(measure(lab, own), bool(stale), sticky)


def measure(lab: Lab, own: Mapping[str, object]) -> Measured:
    """Three deletions and a count, in one record of datagrams."""
    delays: list[float | None] = []
    with lab.datagrams(f"{own['service']}:{own['service_port']}", rate=RATE) as record:
        for _ in range(ROUNDS):
            delays.append(_survive(lab, record, f"deployment/{own['app']}"))
            if delays[-1] is None:
                break
        if None in delays:
            return Measured(tuple(delays), (), 0)
        live = {pod.uid for pod in lab.pods(f"app={own['app']}") if not pod.terminating}
        record.hear(RATE)
        since = record.now
        record.hear(ENOUGH)
    asked = [each for each in record.of("fresh") if each.at >= since]
    counts = tuple(sum(each.uid == uid for each in asked) for uid in sorted(live))
    return Measured(tuple(delays), counts, sum(not each.ok for each in asked))


def _survive(lab: Lab, record: Datagrams, deployment: str) -> float | None:
    """Delete the pod that answers the client with one port; seconds until a live one does. None: none did."""
    try:
        alias = record.server("fixed", timeout=BOUND_SECONDS)
    except LabError:
        return None
    pod = lab.find_pod(alias)
    uid = next(each.uid for each in reversed(record.of("fixed")) if each.pod == alias)
    began = record.now
    if pod is not None:
        lab.delete(pod)
    found = record.answers("fixed", uid, 2 * BOUND_SECONDS)
    if found is None:
        return None
    lab.wait(deployment, "available")
    return found.at + found.seconds - began


def judge(seen: Measured, by_hand: bool, sticky: bool) -> Result:
    """The outcome, from what was measured; the other two only explain it."""
    in_time = sum(delay is not None and delay <= BOUND_SECONDS for delay in seen.delays)
    survived = in_time == ROUNDS
    complete = survived and seen.lost == 0
    even = survived and len(seen.counts) >= PODS and all(seen.counts) and chi_square_p(seen.counts) > FALSE_ALARM
    evidence = (
        Evidence(f"a live pod answered within {BOUND_SECONDS:g} s of each of {ROUNDS} deletions", survived),
        Evidence(f"each of {ENOUGH} datagrams from fresh ports was answered", complete),
        Evidence("all pods did their part of them (χ² test, p > 0.001)", even),
    )
    measured = {"delays": seen.delays, "counts": seen.counts, "lost": seen.lost}
    if all(item.good for item in evidence):
        reason = "Clients find a live pod within seconds, three times of three, and every pod does its part."
        return Result("9.2", Outcome.CORRECT, reason, evidence, measured=measured)
    if by_hand:
        reason = "An EndpointSlice that was written by hand still sends clients to addresses of pods that are gone."
        advice = "kube-proxy believes the slices. Who keeps a slice up to date when pods come and go?"
    elif sticky:
        reason = "sessionAffinity: ClientIP keeps all that comes from one address on one pod."
        advice = "More pods change nothing about that. What does the Service's spec say?"
    else:
        reason = "Datagrams are lost, or not every pod gets its part."
        advice = "lab.endpoints(…) says who stands behind the Service; compare it with lab.pods()."
    return Result("9.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _untouched(lab: Lab, seed: Seed, service: Object, pods: int) -> bool:
    if fault(seed) == AFFINITY:
        return service["spec"].get("sessionAffinity") == "ClientIP" and pods == PODS
    live = {pod.ip for pod in lab.pods(f"app={facts(seed)['app']}") if not pod.terminating}
    listed = {
        address
        for piece in _by_hand(lab, str(facts(seed)["service"]))
        for endpoint in piece.get("endpoints") or ()
        for address in endpoint["addresses"]
    }
    return not service["spec"].get("selector") and bool(listed) and not listed & live


def _by_hand(lab: Lab, service: str) -> list[Object]:
    """Slices of the Service that the controller does not keep."""
    kept = "endpointslice-controller.k8s.io"
    return [
        piece
        for piece in lab.find("endpointslices", f"kubernetes.io/service-name={service}")
        if piece["metadata"]["labels"].get("endpointslice.kubernetes.io/managed-by") != kept
    ]


TASK = Task(
    id="9.2",
    title="Clients that stay where they should not",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Look at both ends before you change anything: lab.endpoints(…) beside lab.pods(), and the Service's spec. "
        "Where do the clients end up, and what keeps them there?",
        "If the addresses belong to nobody: who wrote them, and who should? If all of them go to one pod: which field "
        "of a Service ties a client to a pod?",
        "A Service with a selector has its slices kept by Kubernetes; a slice of somebody else's stays beside them "
        "until it is deleted. And a field that is left out of a Service that you apply again goes back to its default.",
    ),
    solution="""
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${service}
spec:
  sessionAffinity: None
  selector:
    app: ${app}
  ports:
  - port: ${service_port}
    targetPort: ${container_port}
    protocol: UDP
\"\"\")
for piece in lab.find("endpointslices", "kubernetes.io/service-name=${service}"):
    if piece["metadata"]["name"] == "${service}-written-by-hand":
        lab.delete(f"endpointslice/{piece['metadata']['name']}")
""",
)
