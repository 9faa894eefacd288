"""Task 4.1: how many rules of iptables one more Service costs, predicted and then counted on a node.

The check counts for itself, in the rules that the node holds at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course.catalogue import Question, Task
from kubelab.course.lessons.lesson04_kube_proxy_modes import apps, behaviour
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

SERVICES = 3
QUESTION = Question(
    "4.slope",
    "Mode iptables, a plain ClusterIP Service with one port in front of your pods: how many rules does it bring?",
    low=0,
    high=100,
    unit="rules a Service",
)


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names, ports and numbers."""
    return {
        "app": seed.name("4.1/app"),
        "container_port": seed.number("4.1/container-port", 8001, 8999),
        "service": seed.name("4.1/service"),
        "pods": seed.number("4.1/pods", 4, 7),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Pods, and no Service yet."""
    own = facts(seed)
    apps.start(lab, own, int(str(own["pods"])))


def names(service: str) -> list[str]:
    """The Services to make: ``swift-egret-1`` and so on."""
    return [f"{service}-{number}" for number in range(1, SERVICES + 1)]


def rules(lab: Lab, service: str = "") -> int:
    """How many rules of kube-proxy (lines of ``iptables-save`` that begin with ``-A KUBE-``) a worker holds.

    With ``service``: only the Service's own, told by their comments. Raises `LabError`.
    """
    node = behaviour.worker(lab)
    done = node.run(["iptables-save"])
    if done.code != 0:
        raise LabError(f"iptables-save on {node.name} ended with code {done.code}: {done.stderr.strip()}")
    own = f"{lab.namespace}/{service}" if service else ""
    ends = (f'"{own} ', f'"{own}"', f"--comment {own} ")
    lines = (line for line in done.stdout.splitlines() if line.startswith("-A KUBE-"))
    return sum(not own or any(end in line for end in ends) for line in lines)


def check(lab: Lab, seed: Seed) -> Result:
    """Compare what the learner has counted with what the node holds."""
    own, book = facts(seed), Book()
    if book.last("prediction", QUESTION.id) is None or book.last("observation", QUESTION.id) is None:
        return Result("4.1", Outcome.NOT_ATTEMPTED, f'Predict "{QUESTION.id}", count, and compare first.')
    if lab.proxy_mode != "iptables":
        return Result("4.1", Outcome.INCORRECT, f"The nodes serve by {lab.proxy_mode}; this task is about iptables.")
    live = {service: rules(lab, service) for service in names(str(own["service"]))}
    return judge(live, int(str(own["pods"])), book.last("observation", QUESTION.id))


def judge(live: Mapping[str, int], pods: int, counted: int) -> Result:
    """The outcome: ``live`` rules by Service, and what the learner says that each brings."""
    wanted = 2 + 3 * pods
    there = all(live.values())
    evidence = (
        Evidence(f"the node has rules of all {SERVICES} Services", there),
        Evidence(f"each is a plain one, with all {pods} pods behind it", set(live.values()) == {wanted}),
        Evidence(
            "your count is what the node holds for each", counted in live.values() and len(set(live.values())) == 1
        ),
    )
    measured = {"live": dict(live), "counted": counted}
    if all(item.good for item in evidence):
        reason = f"Every Service brings {wanted} rules: one to find it, one to mark, and three for each of {pods} pods."
        return Result("4.1", Outcome.CORRECT, reason, evidence, measured=measured)
    if not there:
        missing = ", ".join(service for service, count in live.items() if not count)
        return Result(
            "4.1", Outcome.INCORRECT, f"The node has no rules for {missing}.", evidence,
            "Apply the Services with a selector that finds your pods, and wait until they answer.", measured,
        )  # fmt: skip
    if set(live.values()) != {wanted}:
        return Result(
            "4.1", Outcome.INCORRECT, "The Services' rules are not those of plain Services with all your pods.",
            evidence, "One port each, no nodePort, no affinity, and the number of pods that you were given.", measured,
        )  # fmt: skip
    return Result(
        "4.1", Outcome.INCORRECT, "What you have counted is not what a Service brings.", evidence,
        f"Rules after less rules before, by the number of Services ({SERVICES}).", measured,
    )  # fmt: skip


TASK = Task(
    id="4.1",
    title="What one more Service costs",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Read the rules of one Service: which of them are there once, and which once for each pod?",
        "A Service without a node port has one rule where all Services are asked, one that marks, and one for each pod "
        "in the draw; every pod then has a chain of its own with two more.",
        "Count with rules(lab) before and after. Do not begin to count again before all Services answer: rules follow "
        "objects a moment later.",
    ),
    solution="""
predict("4.slope", 2 + 3 * ${pods})

before = rules(lab)
for name in names("${service}"):
    lab.apply({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": "${app}"}, "ports": [{"port": 80, "targetPort": ${container_port}}]},
    })
    lab.wait(f"service/{name}", "answers")
each = (rules(lab) - before) // 3
predict.compare("4.slope", each)
""",
)
