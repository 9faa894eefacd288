"""Task 12.1: two hosts that already answer over HTTP get a certificate each, one of them for any one label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson12_ingress_tls import judging, stage
from kubelab.course.lessons.lesson12_ingress_tls.judging import WEEK
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Requests

BRANCHES = ("lisbon", "oslo", "quito", "kyoto", "cairo", "tunis", "riga", "lima")


class Wanted(NamedTuple):
    """One certificate that the task asks for."""

    name: str
    """The one name that is in it: a host, or ``*.`` and a host."""
    secret: str
    hosts: tuple[str, ...]
    """Hosts that clients ask for, all of them covered by the name."""
    app: str

    def good(self, shaken: Handshake) -> bool:
        """Whether this is what a client should get."""
        return shaken.verified and shaken.names == (self.name,) and shaken.secret == self.secret


class Seen(NamedTuple):
    """What clients got of one of the two."""

    wanted: Wanted
    handshakes: Sequence[Handshake]
    answers: Requests

    @property
    def answered(self) -> bool:
        """Whether it is the right app that answers behind it."""
        return all(reply.workload == self.wanted.app and reply.code == 200 for reply in self.answers)


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    shop, chain = seed.name("12.1/shop"), seed.name("12.1/chain")
    return {
        "ingress": f"{seed.choice('12.1/ingress', ('front', 'edge', 'entry', 'gate'))}-{seed.number('12.1/n', 2, 99)}",
        "host": f"{shop}.example.test",
        "host_secret": f"{shop}-tls",
        "wildcard": f"*.{chain}-branches.example.test",
        "wildcard_secret": f"{chain}-any-tls",
        "days": f"more than {WEEK}",
    }


def wanted(seed: Seed) -> tuple[Wanted, Wanted]:
    """The two certificates. Which branches clients ask for is the check's own choice."""
    own = facts(seed)
    host, wildcard = str(own["host"]), str(own["wildcard"])
    at = seed.number("12.1/branch", 0, len(BRANCHES) - 2)
    branches = tuple(wildcard.replace("*", branch) for branch in BRANCHES[at : at + 2])
    return (
        Wanted(host, str(own["host_secret"]), (host,), "main"),
        Wanted(wildcard, str(own["wildcard_secret"]), branches, "branch"),
    )


def rules(seed: Seed) -> dict[str, str]:
    """Host → app, as the Ingress has them at the start."""
    return {each.name: each.app for each in wanted(seed)}


def start(lab: Lab, seed: Seed) -> None:
    """Both apps, and the Ingress that leads to them without TLS."""
    stage.claim(lab, rules(seed))
    stage.set_up(lab, *(each.app for each in wanted(seed)))
    name = str(facts(seed)["ingress"])
    lab.apply(stage.ingress(name, rules(seed)))
    lab.wait(f"ingress/{name}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Shake hands as clients of both hosts and as a stranger, and ask the apps behind."""
    if not lab.find("ingresses") or lab.find_one("deployment/main") is None:
        return Result("12.1", Outcome.CANNOT_CHECK, 'The task is not set up here; run start("12.1").')
    if not stage.tls_of(lab):
        return Result("12.1", Outcome.NOT_ATTEMPTED, "No Ingress has a tls section yet.")
    stage.claim(lab, rules(seed))
    found = [_look(lab, each) for each in wanted(seed)]
    stranger = lab.tls(f"nobody-{facts(seed)['host']}")
    return judge(found, stranger)


def _look(lab: Lab, each: Wanted) -> Seen:
    handshakes = [judging.shake(lab, host, each.good) for host in each.hosts]
    return Seen(each, handshakes, lab.requests(*(f"https://{host}/" for host in each.hosts), verify=False))


def judge(found: Sequence[Seen], stranger: Handshake) -> Result:
    """The outcome, from what clients of both hosts got, and one who asked for a name that nobody serves."""
    evidence = [line for each in found for line in _evidence(each)]
    evidence.append(judging.told(stranger, "the default one", stranger.owner.default))
    handshakes = [shaken for each in found for shaken in each.handshakes]
    measured = {each.host: each.sentence for each in (*handshakes, stranger)}
    if all(line.good for line in evidence):
        reason = "Each host is served a certificate of its own, which clients of the course CA trust."
        return Result("12.1", Outcome.CORRECT, reason, tuple(evidence), measured=measured)
    reason, advice = _why(found, stranger)
    return Result("12.1", Outcome.INCORRECT, reason, tuple(evidence), advice, measured)


def _evidence(each: Seen) -> list[Evidence]:
    wanted = each.wanted
    return [
        *(judging.told(shaken, f"Secret {wanted.secret}, verified", _trusted(wanted, shaken))
          for shaken in each.handshakes),
        Evidence(f"it is for {wanted.name} and for no other name",
                 all(shaken.served and shaken.names == (wanted.name,) for shaken in each.handshakes)),
        Evidence(f"it is good for more than {WEEK} days", all(map(judging.lasting, each.handshakes))),
        Evidence(f"the app {wanted.app} answers behind it", each.answered),
    ]  # fmt: skip


def _trusted(wanted: Wanted, shaken: Handshake) -> bool:
    return shaken.verified and shaken.secret == wanted.secret


def _why(found: Sequence[Seen], stranger: Handshake) -> tuple[str, str]:
    """What is wrong first, and where to look."""
    for wanted, handshakes, answers in found:
        for shaken in handshakes:
            if not shaken.verified:
                return f"For {shaken.host} {judging.seen(shaken)}.", judging.advice(shaken)
            if shaken.names != (wanted.name,):
                return (
                    f"For {shaken.host} a certificate for {', '.join(shaken.names)} is served; wanted is one for "
                    f"{wanted.name} alone.",
                    "Whoever gets hold of a key can pose as every name of its certificate.",
                )
            if shaken.secret != wanted.secret:
                return (
                    f"For {shaken.host} {judging.seen(shaken)}; wanted is Secret {wanted.secret}.",
                    "Compare the Secret's name with the one in your task.",
                )
            if not judging.lasting(shaken):
                return (
                    f"The certificate for {shaken.host} is good for less than {WEEK} days from now.",
                    "lab.certificate takes days; what is its default?",
                )
        if not Seen(wanted, handshakes, answers).answered:
            return (
                f"Behind the certificate for {wanted.name} a client gets {answers.words}; wanted is {wanted.app}.",
                "The rules of the Ingress were right; only tls was missing.",
            )
    return (
        f"A client that asks for {stranger.host} is served {stranger.owner}; wanted is the default certificate.",
        "Which of your names stands for this one too?",
    )


TASK = Task(
    id="12.1",
    title="Two hosts, two certificates",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Two things are needed for each name: a certificate in a Secret, and a line in the Ingress that says which "
        "name that Secret is for. A name without either is served the default certificate.",
        "lab.certificate issues for the names that you give it, and takes secret=… for the Secret's name. How many "
        "names belong into each of the two?",
        "The Ingress is applied whole: its rules as they are, and beside rules a list tls, of entries with hosts (a "
        'list) and secretName. lab.get("ingress/${ingress}") shows the rules; a "*" stands for one label in tls.hosts, '
        "too.",
    ),
    solution="""
lab.certificate("${host}", secret="${host_secret}")
lab.certificate("${wildcard}", secret="${wildcard_secret}")
ingress = lab.get("ingress/${ingress}")
lab.apply({
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "${ingress}"},
    "spec": {
        **ingress["spec"],
        "tls": [
            {"hosts": ["${host}"], "secretName": "${host_secret}"},
            {"hosts": ["${wildcard}"], "secretName": "${wildcard_secret}"},
        ],
    },
})
""",
)
