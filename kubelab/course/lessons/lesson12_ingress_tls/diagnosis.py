"""Task 12.3: three hosts, each broken in another way. Say what is wrong with each, then repair it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson12_ingress_tls import answers, judging, stage
from kubelab.course.lessons.lesson12_ingress_tls.answers import CAUSES
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab

APP, INGRESS = "web", "three"
OF_THE_CERTIFICATE = (answers.EXPIRED, answers.OTHER_NAME)
OF_THE_CHAIN = (answers.SELF_SIGNED, answers.NO_INTERMEDIATE)
OF_THE_WIRING = (answers.NO_SECRET, answers.NOT_LISTED, answers.OTHER_KEY)
ROLES = ("www", "pay", "mail", "docs", "forum", "stock")


class Case(NamedTuple):
    """A host, its Secret, and what is wrong."""

    host: str
    secret: str
    fault: str
    """One of `CAUSES`."""

    @property
    def asked_for(self) -> str:
        """The Secret that the Ingress names at the start."""
        return f"{self.secret}-old" if self.fault == answers.NO_SECRET else self.secret

    @property
    def listed(self) -> str:
        """The host that stands in ``tls.hosts`` at the start."""
        return _misspelt(self.host) if self.fault == answers.NOT_LISTED else self.host


class Found(NamedTuple):
    """What was said of a host, and what its clients get now."""

    case: Case
    said: str
    shaken: Handshake

    @property
    def named(self) -> bool:
        """Whether the cause was found."""
        return self.said == self.case.fault

    @property
    def mended(self) -> bool:
        """Whether clients are content now, and for a while."""
        return self.shaken.verified and judging.lasting(self.shaken)


def cases(seed: Seed) -> tuple[Case, ...]:
    """One fault of each sort; which, and at which host, is the seed's to say."""
    faults = [
        seed.choice(f"12.3/{sort}", each) for sort, each in enumerate((OF_THE_CERTIFICATE, OF_THE_CHAIN, OF_THE_WIRING))
    ]
    turn, role = seed.number("12.3/turn", 0, 2), seed.number("12.3/role", 0, len(ROLES) - 3)
    domain = f"{seed.name('12.3/domain')}.example.test"
    turned = faults[turn:] + faults[:turn]
    return tuple(
        Case(f"{name}.{domain}", f"{name}-tls", fault)
        for name, fault in zip(ROLES[role : role + 3], turned, strict=True)
    )


def facts(seed: Seed) -> Mapping[str, object]:
    """The hosts and their Secrets, as they were meant."""
    return {"ingress": INGRESS, **{case.host: f"Secret {case.secret}" for case in cases(seed)}}


def secrets(seed: Seed) -> Mapping[str, object]:
    """The answer and the repairs."""
    causes = "\n".join(f'    "{case.host}": "{case.fault}",' for case in cases(seed))
    issued = "\n".join(
        f'lab.certificate("{case.host}", secret="{case.secret}")'
        for case in cases(seed)
        if case.fault not in (answers.NO_SECRET, answers.NOT_LISTED)
    )
    return {"causes": causes, "issued": issued, "tls": {case.host: case.secret for case in cases(seed)}}


def start(lab: Lab, seed: Seed) -> None:
    """Three hosts, and what was done to each."""
    answers.forget()
    stage.claim(lab, (case.host for case in cases(seed)))
    stage.set_up(lab, APP)
    for case in cases(seed):
        _issue[case.fault](lab, case)
    three = cases(seed)
    lab.apply(
        stage.ingress(INGRESS, {case.host: APP for case in three}, {case.listed: case.asked_for for case in three})
    )
    lab.wait(f"ingress/{INGRESS}", "answers")
    for case in three:
        judging.shake(lab, case.host, _default if case.fault in OF_THE_WIRING else _not_default)


def check(lab: Lab, seed: Seed) -> Result:
    """Hold the answer against the seed's faults, and shake hands with every host."""
    if lab.find_one(f"ingress/{INGRESS}") is None:
        return Result("12.3", Outcome.CANNOT_CHECK, 'The task is not set up here; run start("12.3").')
    said = answers.given()
    if said is None:
        return Result("12.3", Outcome.NOT_ATTEMPTED, 'There is no answer yet; write answer("12.3", {…}) first.')
    stage.claim(lab, (case.host for case in cases(seed)))
    return judge([_look(lab, case, said) for case in cases(seed)])


def _look(lab: Lab, case: Case, said: Mapping[str, str]) -> Found:
    return Found(case, said.get(case.host, ""), judging.shake(lab, case.host, lambda shaken: shaken.verified))


def judge(found: Sequence[Found]) -> Result:
    """The outcome, from what was said of each host and what its clients get now."""
    evidence = tuple(line for each in found for line in _evidence(each))
    measured = {each.case.host: {"said": each.said, "now": each.shaken.sentence} for each in found}
    if all(line.good for line in evidence):
        reason = "All three causes are named, and all three hosts are served what their clients trust."
        return Result("12.3", Outcome.CORRECT, reason, evidence, measured=measured)
    reason, advice = _why(found)
    return Result("12.3", Outcome.INCORRECT, reason, evidence, advice, measured)


def _evidence(each: Found) -> tuple[Evidence, Evidence]:
    said = f"you said: {each.said}" if each.said else "you said nothing of it"
    return (
        Evidence(f"{each.case.host}: {said}", each.named),
        judging.told(each.shaken, f"one that clients trust, for more than {judging.WEEK} days", each.mended),
    )


def _why(found: Sequence[Found]) -> tuple[str, str]:
    wrong = [each for each in found if not each.named]
    if wrong:
        how_many = "One cause is" if len(wrong) == 1 else f"{len(wrong)} causes are"
        return (
            f"{how_many} not what was wrong at the start.",
            f"{wrong[0].case.host} first. Three places to look, in this order: what a client is served, what the "
            'controller says, what stands in the Ingress. start("12.3") brings the start back.',
        )
    broken = next(each for each in found if not each.mended)
    if not broken.shaken.verified:
        return (
            f"All causes are named. For {broken.case.host} {judging.seen(broken.shaken)}.",
            judging.advice(broken.shaken),
        )
    return (
        f"The certificate for {broken.case.host} is good for less than {judging.WEEK} days.",
        "lab.certificate takes days; what is its default?",
    )


def _default(shaken: Handshake) -> bool:
    return shaken.owner.default


def _not_default(shaken: Handshake) -> bool:
    return not _default(shaken)


def _expired(lab: Lab, case: Case) -> None:
    lab.certificate(case.host, secret=case.secret, mistake="expired")


def _for_another(lab: Lab, case: Case) -> None:
    first, _, domain = case.host.partition(".")
    lab.certificate(f"{first}s.{domain}", domain, secret=case.secret)


def _self_signed(lab: Lab, case: Case) -> None:
    lab.certificate(case.host, secret=case.secret, mistake="self-signed")


def _without_intermediate(lab: Lab, case: Case) -> None:
    lab.certificate(case.host, secret=case.secret, mistake="no intermediate")


def _other_key(lab: Lab, case: Case) -> None:
    lab.certificate(case.host, secret=case.secret, mistake="other key")


def _good(lab: Lab, case: Case) -> None:
    lab.certificate(case.host, secret=case.secret)


_issue: Mapping[str, Callable[[Lab, Case], None]] = {
    answers.EXPIRED: _expired,
    answers.OTHER_NAME: _for_another,
    answers.SELF_SIGNED: _self_signed,
    answers.NO_INTERMEDIATE: _without_intermediate,
    answers.OTHER_KEY: _other_key,
    answers.NO_SECRET: _good,
    answers.NOT_LISTED: _good,
}


def _misspelt(host: str) -> str:
    """Two letters of the second label in the wrong order, never the host itself."""
    first, word, rest = host.split(".", 2)
    at = next(at for at in range(1, len(word) - 1) if word[at] != word[at + 1])
    return f"{first}.{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}.{rest}"


assert set(_issue) == set(CAUSES)

TASK = Task(
    id="12.3",
    title="Three hosts, three causes",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "CertificateView(lab, …) for the three hosts first. One sort of fault is in what is served: then the words "
        "beside it name the cause. The other sort shows in what is not served: the default certificate stands there.",
        "For a host that is served the default, go from the controller to the objects: complaints(lab), then the tls "
        "section of the Ingress, letter by letter, then the Secrets that are there.",
        "“Unknown issuer” has two faces: who signed it (lab.tls(HOST).issuer), and what was sent with it "
        "(lab.tls(HOST).intermediates). Write the answer down before you repair anything: afterwards there is nothing "
        "left to look at.",
    ),
    solution="""
answer("12.3", {
${causes}
})
${issued}
ingress = lab.get("ingress/${ingress}")
tls = [{"hosts": [host], "secretName": secret} for host, secret in ${tls}.items()]
lab.apply({
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "${ingress}"},
    "spec": {**ingress["spec"], "tls": tls},
})
""",
)
