"""Task 7.1: work out from a resolv.conf what two names cost; then have it counted."""

from __future__ import annotations

from collections.abc import Mapping

from kubelab.course import files
from kubelab.course.catalogue import Question, Task
from kubelab.course.lessons.lesson07_the_price_of_ndots import stage
from kubelab.course.lessons.lesson07_the_price_of_ndots.stage import CLOUD, PACKAGE, name_server, resolve_each
from kubelab.course.seed import Seed
from kubelab.grading import Book, Evidence, Outcome, Result
from kubelab.lab.lab import Lab

CLIENT = "customer"
MOST = 40
OUTSIDE = Question("7.outside-price", "Your name of the outside: how many questions?", 1, MOST, unit="questions")
INSIDE = Question("7.inside-price", "Your name of the inside: how many questions?", 1, MOST, unit="questions")
_ENDINGS = (CLOUD, "cloud.test")


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names, and the resolver that looks them up."""
    host = seed.choice("7.1/host", ("api", "eu.api", "eu.west.api"))
    return {
        "client": CLIENT,
        "service": seed.name("7.1/service"),
        "outside": f"{host}.example.test",
        "ndots": seed.number("7.1/ndots", 2, 4),
        "more_endings": seed.number("7.1/endings", 1, 2),
    }


def start(lab: Lab, seed: Seed) -> None:
    """A Service, and a pod with the learner's own resolv.conf."""
    own = facts(seed)
    server = name_server(lab)
    lab.apply(files.manifest(PACKAGE, "web", service=own["service"]))
    endings = _ENDINGS[: int(str(own["more_endings"]))]
    stage.client(lab, CLIENT, server, ndots=int(str(own["ndots"])), endings=endings)
    stage.settled(lab, CLIENT)


def names(lab: Lab, seed: Seed) -> tuple[str, str]:
    """The one outside, the one inside with its namespace."""
    own = facts(seed)
    return str(own["outside"]), f"{own['service']}.{lab.namespace}"


def check(lab: Lab, seed: Seed) -> Result:
    """Have both counted, and compare."""
    said = [Book().last("prediction", question.id) for question in (OUTSIDE, INSIDE)]
    if None in said:
        missing = (OUTSIDE, INSIDE)[said.index(None)].id
        reason = f'There is no prediction yet; write predict("{missing}", …) first.'
        return Result("7.1", Outcome.NOT_ATTEMPTED, reason)
    if lab.find_one(f"deployment/{CLIENT}") is None:
        return Result("7.1", Outcome.CANNOT_CHECK, 'The customer is not here; set it up with start("7.1").')
    both = names(lab, seed)
    found = resolve_each(lab, CLIENT, both)
    return judge(both, [int(each) for each in said], [found[name].questions.total for name in both])


def judge(both: tuple[str, str], said: list[int], counted: list[int]) -> Result:
    """The outcome, from what was predicted and what was counted."""
    evidence = tuple(
        Evidence(f"{name}: you said {predicted}", predicted == seen)
        for name, predicted, seen in zip(both, said, counted, strict=True)
    )
    measured = dict(zip(both, counted, strict=True))
    if said == counted:
        reason = "Both prices are as you worked them out."
        return Result("7.1", Outcome.CORRECT, reason, evidence, measured=measured)
    wrong = [name for name, predicted, seen in zip(both, said, counted, strict=True) if predicted != seen]
    reason = f"{' and '.join(wrong)} {'costs' if len(wrong) == 1 else 'cost'} another number of questions."
    advice = "Write down the full names in the order in which they are tried, up to the first that exists."
    return Result("7.1", Outcome.INCORRECT, reason, evidence, advice, measured)


def secrets(seed: Seed) -> Mapping[str, object]:
    """Both prices."""
    own = facts(seed)
    return {
        "outside_price": price(str(own["outside"]), int(str(own["ndots"])), 3 + int(str(own["more_endings"])), None),
        "inside_price": price("service.namespace", int(str(own["ndots"])), 3 + int(str(own["more_endings"])), 2),
    }


def price(name: str, ndots: int, endings: int, found_at: int | None) -> int:
    """Questions of a glibc resolver, A and AAAA each; ``found_at``: which ending makes it exist, None: it is whole."""
    if name.endswith("."):
        return 2
    as_it_is_first = name.count(".") >= ndots
    if found_at is None:
        return 2 if as_it_is_first else 2 * (endings + 1)
    return 2 * (found_at + as_it_is_first)


TASK = Task(
    id="7.1",
    title="Two prices, worked out",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Count the dots of each name and compare with ndots: fewer means that the endings come first.",
        "Each full name that is tried costs two questions, A and AAAA. The endings stand in the order of the file: "
        "your namespace's, svc.cluster.local, cluster.local, and then the cloud's.",
        "The name of the outside exists only as it is: are all endings tried before that, or none? The other exists "
        "with the second ending; is it also tried as it is, before?",
    ),
    solution="""
predict("7.outside-price", ${outside_price})
predict("7.inside-price", ${inside_price})
""",
)
