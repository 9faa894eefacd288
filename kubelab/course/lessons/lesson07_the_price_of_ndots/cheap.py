"""Task 7.2: a workload that asks at most two questions for a name of the outside, and still finds its Services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson07_the_price_of_ndots import stage
from kubelab.course.lessons.lesson07_the_price_of_ndots.stage import PACKAGE, name_server, resolve_at_once
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.errors import NotFound
from kubelab.lab.lab import Lab

CLIENT = "customer"
LOOKUPS, MOST = 200, 420
"""Two questions each, and some room for one that was sent again."""
THREADS = 4


class Measured(NamedTuple):
    """What the workload's look-ups came to."""

    partner_found: bool
    questions: int
    """For the partner's name, all look-ups together."""
    shop_found: bool


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    return {
        "workload": CLIENT,
        "partner": f"{seed.choice('7.2/host', ('api', 'pay', 'mail'))}.{seed.name('7.2/partner')}.example.test",
        "service": seed.name("7.2/service"),
    }


def start(lab: Lab, seed: Seed) -> None:
    """A Service, and a workload with the resolv.conf that every pod gets."""
    own = facts(seed)
    server = name_server(lab)
    lab.apply(files.manifest(PACKAGE, "web", service=own["service"]))
    stage.client(lab, CLIENT, server, partner=str(own["partner"]), shop=f"{own['service']}.{lab.namespace}")
    stage.settled(lab, CLIENT)


def check(lab: Lab, seed: Seed) -> Result:
    """Look the partner up two hundred times as the workload does, and the Service."""
    own = facts(seed)
    try:
        template = lab.get(f"deployment/{CLIENT}")["spec"]["template"]["spec"]
        lab.get(f"service/{own['service']}")
    except NotFound:
        return Result("7.2", Outcome.CANNOT_CHECK, 'The workload is not here; set it up with start("7.2").')
    partner = str(_variables(template).get("PARTNER", ""))
    if partner.removesuffix(".") != own["partner"]:
        reason = f"The workload's partner is {partner or 'nobody'}, and should be {own['partner']}."
        return Result("7.2", Outcome.INCORRECT, reason)
    if partner == own["partner"] and _as_given(template):
        return Result("7.2", Outcome.NOT_ATTEMPTED, "The workload is as you were given it.")
    return judge(measure(lab, partner, f"{own['service']}.{lab.namespace}"))


def measure(lab: Lab, partner: str, shop: str) -> Measured:
    """The look-ups, in the workload's pod."""
    inside = resolve_at_once(lab, CLIENT, shop)
    outside = resolve_at_once(lab, CLIENT, partner)
    if outside.found[partner]:  # two hundred names that nobody answers would take very long
        outside = resolve_at_once(lab, CLIENT, partner, LOOKUPS, THREADS)
    return Measured(outside.found[partner], outside.questions.total, inside.found[shop])


def judge(seen: Measured) -> Result:
    """The outcome, from what was found and counted."""
    asked = seen.questions >= LOOKUPS
    evidence = (
        Evidence(f"the partner was found in each of {LOOKUPS} look-ups", seen.partner_found),
        Evidence(f"the name server was asked, and at most {MOST} times", asked and seen.questions <= MOST),
        Evidence("SERVICE.NAMESPACE was found from the same pod", seen.shop_found),
    )
    measured = seen._asdict()
    if all(item.good for item in evidence):
        reason = "A name of the outside costs two questions, and the Services are found as before."
        return Result("7.2", Outcome.CORRECT, reason, evidence, measured=measured)
    if not seen.partner_found:
        reason = "The partner is not found any more."
        advice = "Which name server does the pod ask? Only the one it was given knows example.test."
    elif not asked:
        reason = (
            "The name server was hardly asked: the partner's address was written down by hand, or another was asked."
        )
        advice = "A partner moves. Let its name be looked up, at a lower price."
    elif seen.questions > MOST:
        each = round(seen.questions / LOOKUPS)
        reason = f"One look-up of the partner still costs {each} questions."
        advice = "Count the dots of its name. Which of them are fewer than ndots? And what does a dot at the end say?"
    else:
        reason = "SERVICE.NAMESPACE is not found any more."
        advice = "It needs one of the endings of the search list."
    return Result("7.2", Outcome.INCORRECT, reason, evidence, advice, measured)


def _variables(template: Object) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in template["containers"][0].get("env") or ()}


def _as_given(template: Object) -> bool:
    config = template.get("dnsConfig") or {}
    options = {each["name"]: each.get("value") for each in config.get("options") or ()}
    return (
        template.get("dnsPolicy") == "None"
        and options == {"ndots": "5"}
        and len(config.get("searches") or ()) == 3
        and not template.get("hostAliases")
    )


TASK = Task(
    id="7.2",
    title="Two questions, not eight",
    check=check,
    start=start,
    facts=facts,
    hints=(
        "asked(lab, …) shows which questions are asked in vain. What would have to change so that the name is tried "
        "as it is first?",
        "Two places can say it: the name itself, in the workload's environment, or its resolver, in dnsConfig.",
        "The partner's name has three dots. With which ndots is that enough, and is SERVICE.NAMESPACE, with one dot, "
        "still tried with the endings? The search list has to stay.",
    ),
    solution="""
deployment = lab.get("deployment/${workload}")
template = deployment["spec"]["template"]
template["spec"]["dnsConfig"]["options"] = [{"name": "ndots", "value": "2"}]
lab.apply({
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "${workload}"},
    "spec": {"selector": deployment["spec"]["selector"], "template": template},
})
lab.wait("deployment/${workload}", "available")
""",
)
