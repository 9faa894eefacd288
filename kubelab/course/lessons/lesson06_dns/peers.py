"""Task 6.2: three peers that become ready only when they have found each other by name.

The check replaces the pods, lets them find each other, makes all of them say that they are not ready, and asks for
their names then: addresses that were written down by hand do not outlive the first, names of ready pods not the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson06_dns.shapes import PACKAGE, START_SECONDS
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.errors import TimedOut
from kubelab.lab.lab import Lab
from kubelab.lab.pods import Pods
from kubelab.lab.waiting import Seen, until

FOUND_SECONDS = 20.0
"""From three new pods to three that are ready: their programs start, ask every half second, are probed every second.
So long may nothing change before they are given up."""
SICK_SECONDS = 15.0
AT_MOST_SECONDS = 120.0
"""For either, on the slowest machine."""
_NAMES = (("alder", "ash", "aspen"), ("beech", "birch", "box"), ("cedar", "cherry", "cypress"))


class Names(tuple[str, ...]):
    """The peers' names."""

    def __str__(self) -> str:
        return ", ".join(self)


class Measured(NamedTuple):
    """What the names lead to."""

    found_each_other: bool
    not_ready: bool
    """Whether all three pods were not ready when their names were asked for."""
    leads_to_its_pod: Mapping[str, bool]
    """Peer → whether its name has exactly its pod's address."""
    targets: bool
    """Whether the SRV question is answered with the three names, each at the peers' port."""


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    return {
        "group": seed.name("6.2/group"),
        "peers": Names(seed.choice(f"6.2/peer/{index}", names) for index, names in enumerate(_NAMES)),
        "port_name": seed.choice("6.2/port-name", ("gossip", "raft", "sync")),
        "port": seed.number("6.2/port", 7001, 7999),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Three Deployments of one pod each, and no Service."""
    lab.apply(files.manifest(PACKAGE, "peer_program"))
    lab.apply(_deployments(seed))
    group = facts(seed)["group"]

    def look() -> Seen:
        running = sum(pod.phase == "Running" for pod in lab.pods(f"app={group}"))
        return Seen(running == len(_NAMES), f"{running} of {len(_NAMES)} run")

    until(look, "The peers do not start", START_SECONDS)


def check(lab: Lab, seed: Seed) -> Result:
    """Replace the peers, have them say that they are not ready, and ask for their names."""
    own, given = facts(seed), _deployments(seed)
    live = {deployment["metadata"]["name"]: deployment for deployment in lab.find("deployments")}
    missing = [each["metadata"]["name"] for each in given if each["metadata"]["name"] not in live]
    if missing:
        return Result("6.2", Outcome.CANNOT_CHECK, f'There is no Deployment {missing[0]}; set up with start("6.2").')
    if _untouched(lab, own, live):
        return Result("6.2", Outcome.NOT_ATTEMPTED, "The peers are as you were given them, and there is no Service.")
    changed = [each["metadata"]["name"] for each in given if not _same_program(each, live[each["metadata"]["name"]])]
    if changed:
        reason = f"{changed[0]} is no longer the peer that you were given: its program, environment or probe changed."
        return Result("6.2", Outcome.INCORRECT, reason, advice="Only names are missing; what a peer does is right.")
    return judge(measure(lab, own))


def measure(lab: Lab, own: Mapping[str, object]) -> Measured:
    """Three new pods, not ready, and their names. Raises `LabError` when pods do not come."""
    group = str(own["group"])
    old = {pod.uid for pod in lab.pods(f"app={group}")}
    lab.delete(f"app={group}")
    _wait_for_new(lab, group, old)
    found = _comes_true(lab, group, _all_ready, FOUND_SECONDS)
    not_ready = _comes_true(lab, group, lambda pods: _fall_sick(lab, pods), SICK_SECONDS)
    names = {str(peer): f"{peer}.{group}.{lab.namespace}.svc.cluster.local" for peer in _peers(own)}
    leads = {peer: lab.lookup(f"{name}.").addresses == _address(lab, group, peer) for peer, name in names.items()}
    asked = lab.lookup(f"_{own['port_name']}._tcp.{group}.{lab.namespace}.svc.cluster.local.", "SRV")
    targets = sorted(tuple(record.data.split()[2:]) for record in asked.records)
    return Measured(found, not_ready, leads, targets == sorted((str(own["port"]), name) for name in names.values()))


def judge(seen: Measured) -> Result:
    """The outcome, from what the names led to."""
    evidence = (
        Evidence("no peer was ready when its name was asked for", seen.not_ready),
        *(Evidence(f"{peer}: its name led to its pod", good) for peer, good in seen.leads_to_its_pod.items()),
        Evidence("SRV of the group: three targets, one a peer", seen.targets),
        Evidence("three new pods found each other and became ready", seen.found_each_other),
    )
    if all(item.good for item in evidence):
        reason = "Every peer has a name that stays, and it leads to its pod even while that is not ready."
        return Result("6.2", Outcome.CORRECT, reason, evidence)
    if not seen.not_ready:
        reason, advice = "The peers did not say that they are not ready.", "Is their program as you were given it?"
    elif not any(seen.leads_to_its_pod.values()):
        reason = "No name leads to its pod while the pods are not ready, so the peers wait for each other for ever."
        advice = "Who decides whether an address that is not ready is published? And who gives a pod its name?"
    elif not all(seen.leads_to_its_pod.values()):
        reason = "Not every peer has a name that leads to its pod."
        advice = "Compare hostname and subdomain of the three pod templates, letter for letter."
    elif not seen.targets:
        reason = "The names are found, and the SRV question is not answered with all three of them."
        advice = "Only a headless Service answers with a target for each pod. How is its port called?"
    else:
        reason, advice = "The names are found, and yet the peers did not become ready.", "lab.logs(…) of one says more."
    return Result("6.2", Outcome.INCORRECT, reason, evidence, advice)


def _peers(own: Mapping[str, object]) -> Names:
    names = own["peers"]
    assert isinstance(names, Names)
    return names


def _deployments(seed: Seed) -> list[Object]:
    own = facts(seed)
    names = " ".join(f"{peer}.{own['group']}" for peer in _peers(own))
    return [
        deployment
        for peer in _peers(own)
        for deployment in files.manifest(PACKAGE, "peer", peer=peer, names=names, group=own["group"], port=own["port"])
    ]


def _untouched(lab: Lab, own: Mapping[str, object], live: Mapping[str, Object]) -> bool:
    templates = [live[peer]["spec"]["template"]["spec"] for peer in _peers(own)]
    named = any(template.get("hostname") or template.get("subdomain") for template in templates)
    return not named and lab.find_one(f"service/{own['group']}") is None


def _same_program(given: Object, live: Object) -> bool:
    containers = [deployment["spec"]["template"]["spec"]["containers"] for deployment in (given, live)]
    if [len(each) for each in containers] != [1, 1] or live["spec"]["template"]["spec"].get("initContainers"):
        return False
    (was,), (now,) = containers
    probe = now.get("readinessProbe") or {}
    asked = (probe.get("httpGet") or {}).get("path"), (probe.get("httpGet") or {}).get("port")
    wanted = was["readinessProbe"]["httpGet"]["path"], was["readinessProbe"]["httpGet"]["port"]
    values = [{each["name"]: each.get("value") for each in container.get("env") or ()} for container in (was, now)]
    return asked == wanted and values[0] == values[1] and was["command"] == now.get("command")


def _wait_for_new(lab: Lab, group: str, old: set[str]) -> None:
    """None of the old pods, and all that came run: more than three while a rollout waits for pods to become ready."""

    def look() -> Seen:
        pods = lab.pods(f"app={group}")
        new = sum(pod.phase == "Running" and bool(pod.ip) and pod.uid not in old for pod in pods)
        return Seen(len(_NAMES) <= new == len(pods), f"{new} of {len(pods)} run")

    until(look, "The peers that were deleted are not replaced", START_SECONDS)


def _all_ready(pods: Pods) -> bool:
    """One pod a peer, and ready: those of a rollout's old template are gone."""
    return len(pods) == len(_NAMES) and all(pod.ready for pod in pods)


def _fall_sick(lab: Lab, pods: Pods) -> bool:
    """Tell those that are ready to say that they are not; whether none was. A rollout may still bring ready ones."""
    ready = [pod for pod in pods if pod.ready]
    for pod in ready:
        lab.probe(pod, n=1, path="/sick")
    return not ready


def _comes_true(lab: Lab, group: str, holds: Callable[[Pods], bool], seconds: float) -> bool:
    def look() -> Seen:
        pods = lab.pods(f"app={group}")
        return Seen(holds(pods), str([(pod.uid, pod.phase, pod.ready) for pod in pods]))

    try:
        until(look, f"The peers of {group} do not settle", AT_MOST_SECONDS, still_seconds=seconds)
    except TimedOut:
        return False
    return True


def _address(lab: Lab, group: object, peer: str) -> tuple[str, ...]:
    return tuple(lab.pods(f"app={group},peer={peer}").ips)


TASK = Task(
    id="6.2",
    title="Three peers that wait for each other",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "A peer's log says for whom it waits, and under which name: lab.logs(…). What makes a name of the form "
        "pod.group, and what is the group?",
        "Two fields in each pod template, and one Service. The Service's name is the one; a Service with an address "
        "of its own answers an SRV question with itself, one without answers with its pods.",
        "They get ready when they find each other, and are found when they are ready: someone has to go first. "
        "publishNotReadyAddresses is a field of the Service's spec. Its port wants a name, too.",
    ),
    solution="""
for peer in "${peers}".split(", "):
    template = lab.get(f"deployment/{peer}")["spec"]["template"]
    template["spec"].update(hostname=peer, subdomain="${group}")
    lab.apply({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": peer},
        "spec": {"selector": {"matchLabels": {"app": "${group}", "peer": peer}}, "template": template},
    })
lab.apply(\"\"\"
apiVersion: v1
kind: Service
metadata:
  name: ${group}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    app: ${group}
  ports:
  - name: ${port_name}
    port: ${port}
\"\"\")
""",
)
