"""Task 12.2: a certificate that is about to expire is replaced under load, without a failed handshake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson12_ingress_tls import judging, stage
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.handshakes import Handshake
from kubelab.lab.lab import Lab
from kubelab.lab.tls_watch import TlsWatch

APP = "web"
RATE = 50
"""New connections a second."""
AT_MOST_SECONDS = 60
OLD_DAYS, OTHER_DAYS = 5, 60
_BEFORE = "served at the start"


class Found(NamedTuple):
    """All that is judged."""

    watch: TlsWatch
    host: Handshake
    """As it is now."""
    other: Handshake
    before: Mapping[str, str]
    """Host → the fingerprint that was served at the start."""

    @property
    def began_with_the_old_one(self) -> bool:
        """Whether the record shows the time before, too."""
        return self.watch.certificates[:1] == (self.before[self.host.host],)

    @property
    def took(self) -> float:
        """Seconds from the replacement to the last client that got the old one; infinite when that is not known."""
        return self.watch.took() if self.watch.events else float("inf")

    @property
    def replaced(self) -> bool:
        """Whether clients get another certificate than at the start, and trust it."""
        return self.host.verified and self.host.fingerprint != self.before[self.host.host]

    @property
    def other_untouched(self) -> bool:
        """Whether the other host is served what it was served at the start."""
        return self.other.served and self.other.fingerprint == self.before[self.other.host]


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    host, other = seed.name("12.2/host"), seed.name("12.2/other")
    return {
        "host": f"{host}.example.test",
        "secret": f"{host}-tls",
        "other_host": f"{other}-too.example.test",
        "other_secret": f"{other}-too-tls",
        "rate": RATE,
    }


def start(lab: Lab, seed: Seed) -> None:
    """Two hosts with a certificate each; one of them has five days to live."""
    own = facts(seed)
    host, other = str(own["host"]), str(own["other_host"])
    stage.claim(lab, (host, other))
    stage.set_up(lab, APP)
    issued = {
        host: lab.certificate(host, secret=str(own["secret"]), days=OLD_DAYS),
        other: lab.certificate(other, secret=str(own["other_secret"]), days=OTHER_DAYS),
    }
    secrets = {each: certificate.secret for each, certificate in issued.items()}
    lab.apply(stage.ingress("shop", dict.fromkeys(issued, APP), secrets))
    lab.wait("ingress/shop", "answers")
    for each, certificate in issued.items():
        lab.tls(each, until=certificate)
    Book().write(_BEFORE, "12.2", {each: certificate.fingerprint for each, certificate in issued.items()})


def check(lab: Lab, seed: Seed) -> Result:
    """Judge the learner's own record, and shake hands with both hosts."""
    own = facts(seed)
    host, other = str(own["host"]), str(own["other_host"])
    before = Book().last(_BEFORE, "12.2")
    if not before or set(before) != {host, other} or lab.find_one("ingress/shop") is None:
        return Result("12.2", Outcome.CANNOT_CHECK, 'The task is not set up here; run start("12.2").')
    stage.claim(lab, (host, other))
    now, watch = lab.tls(host), lab.last_tls_watch
    as_before = now.served and now.fingerprint == before[host]
    if as_before and (watch is None or watch.certificates == (before[host],)):
        return Result("12.2", Outcome.NOT_ATTEMPTED, f"{host} is served the certificate from the start.")
    if watch is None:
        reason = "Something was replaced while nobody watched: there is no record of what clients got meanwhile."
        advice = 'start("12.2") sets it up again; watch first. (A kernel that is restarted forgets its records.)'
        return Result("12.2", Outcome.INCORRECT, reason, advice=advice)
    if watch.host != host:
        reason = f"The newest record is about {watch.host}; wanted is one about {host}."
        return Result("12.2", Outcome.INCORRECT, reason)
    return judge(Found(watch, now, lab.tls(other), before))


def judge(found: Found) -> Result:
    """The outcome, from the record and from two handshakes now."""
    watch, host = found.watch, found.host
    evidence = (
        Evidence(f"the record begins with the certificate from the start, at {RATE} connections a second",
                 found.began_with_the_old_one and watch.asked_rate >= RATE),
        Evidence("no handshake failed", bool(watch.handshakes) and not watch.failures),
        Evidence(f"nobody got the old one {AT_MOST_SECONDS} s after it was replaced", found.took < AT_MOST_SECONDS),
        judging.told(host, "a newer issue, verified", found.replaced),
        Evidence(f"the new one is for {host.host} and good for more than {judging.WEEK} days",
                 host.served and host.names == (host.host,) and judging.lasting(host)),
        Evidence(f"{found.other.host} is served the certificate that it had", found.other_untouched),
    )  # fmt: skip
    measured = {
        "handshakes": len(watch.handshakes),
        "failed": watch.failed,
        "rate": watch.rate,
        "took": found.took,
        "served": [watch.owner(each).name for each in watch.certificates],
    }
    if all(line.good for line in evidence):
        reason = "The new certificate was served from one handshake to the next, and no client noticed."
        return Result("12.2", Outcome.CORRECT, reason, evidence, measured=measured)
    reason, advice = _why(found)
    return Result("12.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _why(found: Found) -> tuple[str, str]:
    watch = found.watch
    strangers = [watch.owner(each) for each in watch.certificates if watch.owner(each).default]
    if strangers:
        return (
            f"Some clients were served {strangers[0]} meanwhile.",
            "For a moment there was no Secret. Does it have to go away in order to change?",
        )
    if watch.failures:
        return f"Some handshakes failed: {watch.failures[0].failure}.", "What did the Secret hold at that moment?"
    if not found.began_with_the_old_one:
        return "The record does not begin with the certificate from the start.", "Begin to watch, then replace it."
    if watch.asked_rate < RATE:
        return f"Fewer than {RATE} connections a second were asked for.", "lab.watch_tls takes a rate."
    if not found.replaced:
        return f"{found.host.host} is served: {found.host.sentence}. Wanted is a new one.", judging.advice(found.host)
    if not watch.events:
        return (
            "The record does not say when the certificate was replaced.",
            'Mark it: with record.event("…"): around what you do.',
        )
    if found.took >= AT_MOST_SECONDS:
        return "Clients got the old certificate for too long.", "Which Secret does the Ingress read from?"
    if not found.other_untouched:
        return f"{found.other.host} is served another certificate than before.", "Its time had not come."
    return (
        f"The new certificate is for {', '.join(found.host.names)} and good for {found.host.days_left:.0f} days.",
        "What was asked for?",
    )


TASK = Task(
    id="12.2",
    title="Replaced under load",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "Write the record first, without any change in it: with lab.watch_tls(…) as record: and nothing but a comment. "
        "Then put what you do inside, and mark it with record.event.",
        "What does the ingress do when a Secret changes, and what when there is none for a while? The lesson tried "
        "both.",
        "lab.certificate for a Secret that is there puts the new certificate into it. Mind the Secret's name: left "
        "out, it is made of the host's first label.",
    ),
    solution="""
with lab.watch_tls("${host}", rate=${rate}) as record:
    with record.event("replaced"):
        lab.certificate("${host}", secret="${secret}")
""",
)
