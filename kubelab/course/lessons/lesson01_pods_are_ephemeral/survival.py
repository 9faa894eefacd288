"""Task 1.2: a client that outlives its servers.

Start state: the customer is pinned to the IP of one pod. The check deletes five pods, one after the other, and reads
from the customer's own log what became of its requests meanwhile.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab import waiting
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pod

PACKAGE = "lesson01_pods_are_ephemeral"
START_TARGET = "kubelab/start-target"
DELETIONS = 5
ENOUGH = 0.99
"""The share of requests that must be answered."""
SETTLED_LINES = 40
"""Requests of the customer before the first deletion and after the last."""
HOPELESS_LINES = 10
"""So many requests without one answer, and there is no point in waiting for more."""
LOG_LINES = 5000
"""How much of the log is read: four minutes at the customer's pace; five deletions take far less."""


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("1.2/app"),
        "container_port": seed.number("1.2/container-port", 8001, 8999),
        "service": seed.name("1.2/service"),
        "service_port": seed.number("1.2/service-port", 9001, 9999),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Three pods, and a customer that is pinned to the IP of the first."""
    own = facts(seed)
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply(files.manifest(PACKAGE, "pods", **own))
    lab.wait(f"deployment/{own['app']}", "available", timeout=180)
    first = lab.pods(f"app={own['app']}")[0]
    lab.apply(files.manifest(PACKAGE, "customer", target=f"{first.ip}:{first.port}"))
    lab.wait("deployment/customer", "available", timeout=180)


def check(lab: Lab, seed: Seed) -> Result:
    """Delete five pods while the customer works, then judge its log."""
    own = facts(seed)
    customer = lab.find_one("deployment/customer")
    if customer is None:
        return Result("1.2", Outcome.CANNOT_CHECK, 'There is no customer here; set the task up with start("1.2").')
    target = _target(customer)
    services = lab.find("services")
    if target == customer["metadata"].get("annotations", {}).get(START_TARGET) and not services:
        return Result(
            "1.2", Outcome.NOT_ATTEMPTED, "The customer still calls the pod IP that it was given at the start."
        )
    lab.wait("deployment/customer", "available")
    storm = _storm(lab, str(own["app"]))
    log = CustomerLog(target, str(own["service"]), storm.lines, storm.pods)
    return judge(log, _diagnosis(lab, log, services))


@dataclass(frozen=True)
class Storm:
    """What the customer logged during the deletions, and the UIDs of all pods that it could have met."""

    lines: tuple[dict[str, Any], ...]
    pods: frozenset[str]


@dataclass(frozen=True)
class CustomerLog:
    """All that the check judges."""

    target: str
    service: str
    """The name that the task asks for."""
    lines: tuple[dict[str, Any], ...]
    pods: frozenset[str]

    @property
    def host(self) -> str:
        """The host part of the customer's target."""
        return self.target.rpartition(":")[0] or self.target

    @property
    def success(self) -> float:
        """The share of requests that were answered."""
        return sum(line["ok"] for line in self.lines) / len(self.lines) if self.lines else 0.0

    @property
    def answered_by(self) -> set[str]:
        """The UIDs of the learner's own pods that answered."""
        return {line["uid"] for line in self.lines if line["ok"]} & self.pods

    @property
    def by_name(self) -> bool:
        """Whether every Host header that a server saw is the Service's name, short or with its namespace."""
        hosts = {line["host"].split(":")[0] for line in self.lines if line["ok"]}
        return bool(hosts) and all(host.split(".")[0] == self.service for host in hosts)


def judge(log: CustomerLog, diagnosis: str) -> Result:
    """The outcome, from the customer's log; ``diagnosis`` says why requests failed, if they did."""
    evidence = (
        Evidence(f"at least {ENOUGH:.0%} of the customer's requests were answered", log.success >= ENOUGH),
        Evidence(f"answers came from at least {DELETIONS} different pods", len(log.answered_by) >= DELETIONS),
        Evidence(f"the Host header that the servers saw is {log.service}", log.by_name),
    )
    measured = {
        "requests": len(log.lines),
        "success": log.success,
        "pods": len(log.answered_by),
        "errors": sorted({line["error"] for line in log.lines if not line["ok"]}),
    }
    if all(item.good for item in evidence):
        reason = f"The customer outlived {DELETIONS} deletions, calling {log.service} by its name."
        return Result("1.2", Outcome.CORRECT, reason, evidence, measured=measured)
    reason, advice = _verdict(log, diagnosis)
    return Result("1.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _verdict(log: CustomerLog, diagnosis: str) -> tuple[str, str]:
    if _is_address(log.host) and log.success < ENOUGH:
        return (
            "The customer calls an IP address, and the pod behind it was deleted: nobody answers there any more.",
            "What stays the same while pods come and go?",
        )
    if _is_address(log.host):
        return (
            "The customer outlived the deletions, but it calls an IP address that is written down by hand.",
            "An address that is right today is only right in this cluster; the Service has a name.",
        )
    if log.success < ENOUGH:
        return diagnosis, 'hint("1.2") helps; lab.probe(…) shows what a client gets.'
    if not log.by_name:
        return f"The customer is answered, but not under the name {log.service}.", "Read your task's names again."
    return "The answers did not come from the pods of your task.", "Look at the Service's selector."


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _diagnosis(lab: Lab, log: CustomerLog, services: list[Object]) -> str:
    """Why a customer that calls a name is not answered; looked up only to explain."""
    name = log.host.split(".")[0]
    service = next((found for found in services if found["metadata"]["name"] == name), None)
    if service is None:
        return f"The customer calls {log.host}, and there is no Service of that name."
    selector = service["spec"].get("selector") or {}
    words = ", ".join(f"{key}={value}" for key, value in sorted(selector.items())) or "nothing"
    chosen = lab.pods(",".join(f"{key}={value}" for key, value in selector.items())) if selector else ()
    mine = sum(pod.uid in log.pods for pod in chosen)
    if mine == 0:
        return f"The Service {name} selects {words}; none of your three pods has these labels: nobody stands behind it."
    return f"The Service {name} has pods behind it, but nobody answers at {log.target}; compare the ports."


def _storm(lab: Lab, app: str) -> Storm:
    """Delete the oldest pod and wait for its successor, five times over, while the customer goes on.

    A customer that is not answered even before the first deletion is spared them.
    """
    customer = _customer_pod(lab)
    begin = _last_number(lab, customer)
    before = _await_lines(lab, customer, begin, SETTLED_LINES)
    pods = {pod.uid for pod in lab.pods(f"app={app}")}
    if any(line["ok"] for line in before):
        for _ in range(DELETIONS):
            lab.wait(f"deployment/{app}", "available")
            lab.delete(next(pod for pod in lab.pods(f"app={app}") if not pod.terminating))
            pods |= {pod.uid for pod in lab.pods(f"app={app}")}
        lab.wait(f"deployment/{app}", "available")
        _await_lines(lab, customer, _last_number(lab, customer), SETTLED_LINES)
        pods |= {pod.uid for pod in lab.pods(f"app={app}")}
    return Storm(tuple(_lines(lab, customer, begin)), frozenset(pods))


def _customer_pod(lab: Lab) -> Pod:
    for pod in lab.pods("app=customer"):
        if not pod.terminating:
            return pod
    raise LabError("The customer has no pod; lab.events() says why.")


def _await_lines(lab: Lab, pod: Pod, after: int, more: int) -> list[dict[str, Any]]:
    """Wait until the customer has logged ``more`` requests after number ``after``; those requests.

    Of a customer that gets no answer at all, a few requests say as much as many.
    """

    def look() -> waiting.Seen:
        lines = _lines(lab, pod, after)
        hopeless = len(lines) >= HOPELESS_LINES and not any(line["ok"] for line in lines)
        return waiting.Seen(len(lines) >= more or hopeless, f"{len(lines)} requests")

    waiting.until(look, "The customer has not sent enough requests", 60 + more * 1.5)
    return _lines(lab, pod, after)


def _last_number(lab: Lab, pod: Pod) -> int:
    return max((line["n"] for line in _lines(lab, pod, -1)), default=-1)


def _lines(lab: Lab, pod: Pod, after: int) -> list[dict[str, Any]]:
    """The newest part of the customer's log, after number ``after``; a line that is only half written is left out."""
    whole = [line for line in lab.logs(pod, tail=LOG_LINES).splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in map(json.loads, whole) if line["n"] > after]


def _target(customer: Object) -> str:
    environment = customer["spec"]["template"]["spec"]["containers"][0].get("env") or ()
    return next((str(entry.get("value", "")) for entry in environment if entry["name"] == "TARGET"), "")


TASK = Task(
    id="1.2",
    title="A customer that outlives its servers",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Every pod whose IP the customer could be given may be gone a second later. What does not go with the pods?",
        "A Service has a name and an address of its own, and forwards to all ready pods that its selector finds.",
        'The selector must name a label that your pods really have: lab.get("deployment/${app}") shows them under '
        "spec.template. port is where clients call, targetPort is where the container listens.",
        'When the Service answers lab.probe("${service}"), tell the customer: its TARGET is an environment variable of '
        "deployment/customer, in the form name:port.",
    ),
    solution="""
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
    targetPort: ${container_port}
\"\"\")
lab.set_env("deployment/customer", TARGET="${service}:${service_port}")
""",
)
