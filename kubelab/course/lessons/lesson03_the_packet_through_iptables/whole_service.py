"""Task 3.2: all chains of a ClusterIP and where they lead, on the node that decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson03_the_packet_through_iptables import answers, stage, trial
from kubelab.course.lessons.lesson03_the_packet_through_iptables.trial import Trial
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

TASK_ID = "3.2"


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own Service."""
    own = trial.setting(seed, TASK_ID)
    return {"service": own.service, "service_port": own.port, "client": stage.CLIENT}


def start(lab: Lab, seed: Seed) -> None:
    """Two Services, a client, and no answer."""
    answers.forget(TASK_ID)
    trial.start(lab, trial.setting(seed, TASK_ID))


def check(lab: Lab, seed: Seed) -> Result:
    """Compare with the node's rules, then send connections and read the counters of the chains that were named."""
    own = trial.setting(seed, TASK_ID)
    if not trial.is_here(lab, own):
        return Result(TASK_ID, Outcome.CANNOT_CHECK, f'The pods of this task are not here: start("{TASK_ID}").')
    found = answers.given(TASK_ID)
    if found is None:
        wanted = ", ".join(f"{name}=…" for name in answers.WANTED[TASK_ID])
        return Result(TASK_ID, Outcome.NOT_ATTEMPTED, f'There is no answer yet: answer("{TASK_ID}", {wanted}).')
    try:
        found["node"] = trial.node_name(lab, found["node"])
    except LabError as error:
        return Result(TASK_ID, Outcome.INCORRECT, str(error))
    return judge(trial.run(lab, own), found)


def judge(seen: Trial, found: Mapping[str, Any]) -> Result:
    """The outcome, from the rules and the counters."""
    named: dict[str, str] = found.get("endpoints") or {}
    rose = {chain: seen.rise(found["node"], chain) for chain in named}
    fitting = {chain: seen.answered.get(target, 0) for chain, target in named.items()}
    evidence = (
        Evidence("the chains are those of this Service", found["service_chain"] == seen.truth.service_chain),
        Evidence("every endpoint is there, with its DNAT target", named == dict(seen.truth.endpoints)),
        Evidence(
            f"the named counters rose by the {trial.CONNECTIONS} connections that were sent",
            rose == fitting and sum(fitting.values()) == trial.CONNECTIONS,
        ),
    )
    measured = {"sent": trial.CONNECTIONS, "rose": rose, "answered": dict(seen.answered)}
    if all(item.good for item in evidence):
        reason = "These chains carry the Service: each new connection was counted in one of them."
        return Result(TASK_ID, Outcome.CORRECT, reason, evidence, measured=measured)
    if evidence[0].good and evidence[1].good and found["node"] == seen.node:
        return Result(TASK_ID, Outcome.CANNOT_CHECK, trial.DISTURBED, evidence, trial.UNDISTURB, measured)
    reason, advice = wrong(seen, found, named)
    return Result(TASK_ID, Outcome.INCORRECT, reason, evidence, advice, measured)


def wrong(seen: Trial, found: Mapping[str, Any], named: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong first, and where to look."""
    chain, truth = found["service_chain"], seen.truth
    if chain == seen.decoy.service_chain or set(named) & set(seen.decoy.endpoints):
        return "These chains belong to another Service.", "The Service's own address stands behind -d in KUBE-SERVICES."
    if chain in truth.endpoints:
        return f"{chain} is one endpoint's chain; asked is the Service's, which draws.", "It begins with KUBE-SVC-."
    if chain != truth.service_chain:
        return (
            f"No rule for this Service jumps to {chain}.",
            "Begin with its address, in KUBE-SERVICES of the nat table.",
        )
    if truth.service_chain in named:
        return (
            f"{truth.service_chain} draws and translates nothing; asked are the chains that it jumps to.",
            "The DNAT is in the chains whose names begin with KUBE-SEP-.",
        )
    strangers, missing = set(named) - set(truth.endpoints), set(truth.endpoints) - set(named)
    if strangers:
        return (
            f"{sorted(strangers)[0]} is no endpoint of this Service.",
            "Take the jumps from the Service's chain only.",
        )
    if missing:
        count = "One endpoint is" if len(missing) == 1 else f"{len(missing)} endpoints are"
        return f"{count} missing.", "Compare with lab.endpoints(…): how many are there?"
    if named != dict(truth.endpoints):
        return "A chain leads elsewhere than you say.", "Read --to-destination of its DNAT rule: address:port."
    return (
        f"On {found['node']} no counter rose: the client's packets do not ask that node's rules.",
        "Every node has the same chains. Which node asks them, for this client?",
    )


TASK = Task(
    id=TASK_ID,
    title="A whole Service in a node's rules",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Two questions: on which node are the rules asked that decide for this client? And which rule in KUBE-SERVICES "
        "has the Service's address?",
        "saved(lab, node) is a text of lines. The dispatch line has -d and the ClusterIP, and ends with -j and the "
        "Service's chain. Lines that begin with -A and that chain jump to the endpoints' chains.",
        "In each endpoint's chain the line with -j DNAT ends with --to-destination and an address with a port. "
        "Collect them into a dict, chain by chain; a regular expression with re.findall does it in one go.",
    ),
    solution="""
import re
node = client_node(lab)
address = lab.get("service/${service}")["spec"]["clusterIP"]
rules = saved(lab, node)
service_chain = re.search(rf"-A KUBE-SERVICES -d {address}/32 .* -j (KUBE-SVC-\\S+)", rules)[1]
chains = re.findall(rf"-A {service_chain} .* -j (KUBE-SEP-\\S+)", rules)
targets = dict(re.findall(r"-A (KUBE-SEP-\\S+) .* -j DNAT --to-destination (\\S+)", rules))
answer("3.2", node=node, service_chain=service_chain, endpoints={chain: targets[chain] for chain in chains})
""",
)
