"""Task 3.1: the chain of one endpoint, found in the rules and held against its counter."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course.catalogue import Question, Task
from kubelab.course.lessons.lesson03_the_packet_through_iptables import answers, trial
from kubelab.course.lessons.lesson03_the_packet_through_iptables.trial import Trial
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.lab import Lab

TASK_ID = "3.1"
QUESTION = Question(
    "3.rise",
    "40 requests over 4 connections that are kept: by how much do the counters of the DNAT rules rise, all together?",
    high=200,
    unit="in all",
)


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own Service, and the pod whose chain is asked for."""
    own = trial.setting(seed, TASK_ID)
    pod = seed.choice(f"{TASK_ID}/pod", own.pod_names)
    return {"service": own.service, "service_port": own.port, "pod": pod}


def start(lab: Lab, seed: Seed) -> None:
    """Two Services, a client, and no answer."""
    answers.forget(TASK_ID)
    trial.start(lab, trial.setting(seed, TASK_ID))


def check(lab: Lab, seed: Seed) -> Result:
    """Send connections, and see which counter rose by what the pod answered."""
    own = trial.setting(seed, TASK_ID)
    if not trial.is_here(lab, own):
        return Result(TASK_ID, Outcome.CANNOT_CHECK, f'The pods of this task are not here: start("{TASK_ID}").')
    if Book().last("prediction", QUESTION.id) is None:
        return Result(TASK_ID, Outcome.NOT_ATTEMPTED, f'There is no prediction yet: predict("{QUESTION.id}", …).')
    found = answers.given(TASK_ID)
    if found is None:
        return Result(TASK_ID, Outcome.NOT_ATTEMPTED, f'There is no answer yet: answer("{TASK_ID}", chain=…).')
    pod = lab.pod(str(facts(seed)["pod"]))
    return judge(trial.run(lab, own), found["chain"], f"{pod.ip}:{pod.port}")


def judge(seen: Trial, chain: str, endpoint: str) -> Result:
    """The outcome; ``endpoint``: where the pod listens."""
    rise, answered = seen.rise(seen.node, chain), seen.answered.get(endpoint, 0)
    right = seen.truth.chain_to(endpoint) == chain
    evidence = (
        Evidence("the chain leads to the pod's address and port", right),
        Evidence("its counter rose by the connections that the pod answered", rise == answered > 0),
    )
    measured = {"sent": trial.CONNECTIONS, "answered": answered, "rose": rise}
    if all(item.good for item in evidence):
        reason = "The chain is that pod's, and its counter rises by one for each new connection."
        return Result(TASK_ID, Outcome.CORRECT, reason, evidence, measured=measured)
    if right:
        return Result(TASK_ID, Outcome.CANNOT_CHECK, trial.DISTURBED, evidence, trial.UNDISTURB, measured)
    return Result(
        TASK_ID, Outcome.INCORRECT, wrong(seen, chain), evidence,
        "Look for the rule with -j DNAT: behind --to-destination stands whom a chain leads to.", measured,
    )  # fmt: skip


def wrong(seen: Trial, chain: str) -> str:
    """What the named chain is instead."""
    if chain == seen.truth.service_chain:
        return f"{chain} is the Service's own chain, which draws; asked is the chain that it jumps to."
    if chain in seen.truth.endpoints:
        return f"{chain} is an endpoint of the Service, but another pod's."
    if chain == seen.decoy.service_chain or chain in seen.decoy.endpoints:
        return f"{chain} belongs to another Service."
    return f"No rule of this Service leads to a chain {chain} on {seen.node}."


TASK = Task(
    id=TASK_ID,
    title="One endpoint's chain",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "The nat table of the client's node holds it all. Begin at the Service's address, in KUBE-SERVICES.",
        "From KUBE-SERVICES a rule jumps to KUBE-SVC-…, from there rules jump to KUBE-SEP-… chains, each with a "
        "comment that ends in an address. Which of them is your pod's? lab.pod(…).ip tells its address.",
        "You can also go backwards: look for --to-destination with your pod's address and port. The name after -A is "
        "the chain.",
    ),
    solution="""
import re
predict("3.rise", 4)
pod = lab.pod("${pod}")
rules = saved(lab, client_node(lab))
found = re.search(rf"-A (KUBE-SEP-\\S+) .*--to-destination {pod.ip}:{pod.port}\\b", rules)
answer("3.1", chain=found[1])
""",
)
