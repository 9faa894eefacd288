"""Task 4.2: the cluster serves by nftables, and nothing of iptables mode is left.

The check asks every node: what its kube-proxy says, what its kernel holds, and a client whether the Service answers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubelab.clusters.base import Node
from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson04_kube_proxy_modes import apps
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.errors import CannotRun, LabError, NotFound
from kubelab.lab.lab import Lab

REQUESTS = 20
STALE = (":KUBE-SVC-", ":KUBE-SEP-", ":KUBE-EXT-", ":KUBE-SVL-", ":KUBE-FW-", ":KUBE-SERVICES")
_COMMAND_NOT_FOUND = 127


class Held(NamedTuple):
    """What one node says of itself."""

    node: str
    mode: str
    """What its kube-proxy answers at ``/proxyMode``."""
    table: bool
    """Whether there is a table ``ip kube-proxy``."""
    service: bool
    """Whether the learner's Service is in it, and packets are sent there: a chain that is unused stays for a while."""
    chains: int
    """Chains of iptables mode that are there."""


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names and ports."""
    return {
        "app": seed.name("4.2/app"),
        "container_port": seed.number("4.2/container-port", 8001, 8999),
        "service": seed.name("4.2/service"),
        "service_port": seed.number("4.2/service-port", 9001, 9999),
        "node_port": seed.number("4.2/node-port", 31000, 31999),
    }


def start(lab: Lab, seed: Seed) -> None:
    """A Service that answers, in mode iptables."""
    own = facts(seed)
    apps.start(lab, own, 3)
    lab.apply(files.manifest(apps.PACKAGE, "service", **own))
    lab.wait(f"service/{own['service']}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Ask the nodes and a client."""
    own = facts(seed)
    service = str(own["service"])
    held = [look(node, f"{lab.namespace}/{service}/tcp/") for node in lab.cluster.nodes()]
    return judge(held, _answers(lab, service, int(str(own["service_port"]))), service)


def look(node: Node, service: str) -> Held:
    """Ask one node; ``service`` as nftables mode writes it in the names of its chains."""
    mode = _said(node, ["curl", "-s", "-m", "5", "http://127.0.0.1:10249/proxyMode"])
    tables = _said(node, ["nft", "list", "tables", "ip"])
    table = "table ip kube-proxy" in tables.splitlines()
    inside = _said(node, ["nft", "list", "table", "ip", "kube-proxy"]) if table else ""
    saved = _said(node, ["iptables-save"])
    chains = sum(line.startswith(STALE) for line in saved.splitlines())
    served = re.search(rf"goto \S*-{re.escape(service)}", inside) is not None
    return Held(node.name, mode.strip(), table, served, chains)


def judge(held: Sequence[Held], answers: bool, service: str) -> Result:
    """The outcome, from what every node holds and whether the Service answers."""
    modes = all(node.mode == "nftables" for node in held)
    inside = all(node.service for node in held)
    clean = not any(node.chains for node in held)
    evidence = (
        Evidence("/proxyMode says nftables on every node", modes),
        Evidence(f"nft list table ip kube-proxy has {service} on every node", inside),
        Evidence("no node has a KUBE-SVC chain left, or any other of iptables mode", clean),
        Evidence(f"{service} answers every request", answers),
    )
    measured = {node.node: node._asdict() for node in held}
    if all(item.good for item in evidence):
        reason = "All nodes serve by nftables, nothing of iptables mode is left, and the clients noticed nothing."
        return Result("4.2", Outcome.CORRECT, reason, evidence, measured=measured)
    if all(node.mode == "iptables" for node in held) and not any(node.table for node in held) and answers:
        return Result("4.2", Outcome.NOT_ATTEMPTED, "The cluster serves by iptables, as it did at the start.")
    reason, advice = _wrong(held, modes, inside, clean, service)
    return Result("4.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _wrong(held: Sequence[Held], modes: bool, inside: bool, clean: bool, service: str) -> tuple[str, str]:
    if not modes:
        other = next(node.mode for node in held if node.mode != "nftables")
        said = f"kube-proxy itself says {other or 'nothing'} at /proxyMode"
        return f"Not every node serves by nftables: {said}.", "A table alone is not a mode; lab.switch_proxy_mode is."
    if not inside:
        return f"The table ip kube-proxy lacks {service}.", "Is the Service still there, as start made it?"
    if not clean:
        return (
            "Chains with names of iptables mode are there, which a switch does not leave behind.",
            "Which chains does `iptables-save` show on that node, and who made them?",
        )
    return f"{service} does not answer every request.", "Look at lab.endpoints and at its pods."


def _answers(lab: Lab, service: str, port: int) -> bool:
    try:
        return lab.probe(f"{service}:{port}", n=REQUESTS).success == 1
    except NotFound:
        return False


def _said(node: Node, argv: Sequence[str]) -> str:
    done = node.run(argv)
    if done.code == _COMMAND_NOT_FOUND:
        raise CannotRun(f"The program {argv[0]} is not installed, so {node.name} cannot be asked.")
    if done.code != 0 and argv[0] != "curl":
        raise LabError(f"`{' '.join(argv)}` on {node.name} failed: {done.stderr.strip() or 'it said nothing'}")
    return done.stdout


TASK = Task(
    id="4.2",
    title="To nftables, and prove it",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "A mode is what every node's kube-proxy does, not what a table looks like. What does lab.proxy_mode say?",
        "The lesson's switch returns only when all nodes serve by the new mode and have cleaned up after the old one.",
        "One call on lab does it: switch_proxy_mode. Then look at a node: nft list table ip kube-proxy, iptables-save.",
    ),
    solution="""
lab.switch_proxy_mode("nftables")
""",
)
