"""Task 14.2: a small part of the requests to a new version, and all of the testers'."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import App
from kubelab.course.lessons.lesson14_gateway_api import telling
from kubelab.course.lessons.lesson14_gateway_api.intervals import binomial
from kubelab.course.lessons.lesson14_gateway_api.objects import gateway, http_route, listener, rule
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Requests

GATEWAY, ROUTE = "edge", "shop"
REQUESTS = 1200
"""They are sent twice; a weight that is off by five points passes both times in less than one of a hundred checks."""
TESTERS, OTHERS = 40, 60
PATHS = ("/", "/basket/7")
MANY = 3
"""Pods of the new version when it is asked once more: weights do not know how many there are."""


class Own(NamedTuple):
    """One learner's names and numbers."""

    host: str
    old: str
    new: str
    port: int
    percent: int
    header: str
    value: str

    @property
    def apps(self) -> tuple[App, App]:
        """Both versions."""
        return App(self.old, self.port), App(self.new, self.port)

    @property
    def objects(self) -> list[Object]:
        """The Gateway and the route as they are given: everything goes to the old version."""
        shop = http_route(ROUTE, {"name": GATEWAY}, [self.host], rule({self.old: 1}, self.port))
        return [gateway(GATEWAY, listener()), shop]


def own(seed: Seed) -> Own:
    """The names and numbers that the seed gives."""
    app = seed.choice("14.2/app", ("shop", "search", "basket"))
    return Own(
        host=f"{seed.name('14.2/host')}.test",
        old=f"{app}-v1",
        new=f"{app}-v2",
        port=seed.number("14.2/port", 8000, 8999),
        percent=5 * seed.number("14.2/percent", 1, 4),
        header=seed.choice("14.2/header", ("x-tester", "x-canary", "x-preview")),
        value=seed.choice("14.2/value", ("on", "yes", "me")),
    )


def facts(seed: Seed) -> Mapping[str, object]:
    """What the learner is to bring about."""
    names = own(seed)
    return {"gateway": GATEWAY, "route": ROUTE, **names._asdict()}


def secrets(seed: Seed) -> Mapping[str, object]:
    """The other part."""
    return {"rest": 100 - own(seed).percent}


def start(lab: Lab, seed: Seed) -> None:
    """Two versions behind two Services, a Gateway, and a route that knows the old version only."""
    names = own(seed)
    stage.start(lab, names.apps)
    lab.apply(names.objects)
    lab.wait(f"httproute/{ROUTE}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Count who answers; when all is well, start more pods of the new version and count again."""
    names = own(seed)
    if stage.missing(lab, names.apps):
        return Result("14.2", Outcome.CANNOT_CHECK, 'The apps of this task are not here; set it up with start("14.2").')
    changed = stage.changed(lab, names.apps)
    if changed:
        reason = f"{changed[0]} is not what it was; the share is to be set in the HTTPRoute."
        advice = "Shares by numbers of pods move with every scaling, and 1 % takes a hundred pods."
        return Result("14.2", Outcome.INCORRECT, reason, advice=advice)
    route = lab.find_one(f"httproute/{ROUTE}")
    if route is None:
        return Result("14.2", Outcome.INCORRECT, f"There is no HTTPRoute {ROUTE} any more.")
    if route["metadata"].get("generation") == 1:
        return Result("14.2", Outcome.NOT_ATTEMPTED, f"The HTTPRoute {ROUTE} is as you were given it.")
    result = judge(names, *_ask(lab, names), scaled=False)
    if not result:
        return result
    try:
        lab.scale(f"deployment/{names.new}", MANY)
        return judge(names, *_ask(lab, names), scaled=True)
    finally:
        lab.scale(f"deployment/{names.new}", 1)


def judge(names: Own, everybody: Requests, testers: Requests, others: Requests, *, scaled: bool) -> Result:
    """The outcome, from the requests of everybody, of testers, and of those with another value in the header."""
    interval = binomial(len(everybody), names.percent / 100)
    count = everybody.counts.get(names.new, 0)
    known = {names.old, names.new}
    failed = sorted({reply.words for each in (everybody, testers, others) for reply in each} - known)
    to_new, kept = set(testers.counts) == {names.new}, names.old in others.counts
    per_cent = f"{100 * interval.low / len(everybody):.1f} to {100 * interval.high / len(everybody):.1f} %"
    evidence: tuple[Evidence, ...] = (
        Evidence(
            f"the share of {names.new} is as weighted ({per_cent} of {len(everybody)} requests)", count in interval
        ),
        Evidence(f"every request with {names.header}: {names.value} is answered by {names.new}", to_new),
        Evidence("those with another value are no testers", kept),
        Evidence("no request failed", not failed),
    )
    measured = {"share": count / len(everybody), "interval": list(interval), "failed": failed}
    if all(item.good for item in evidence):
        evidence += (Evidence(f"still so with {MANY} pods of the new version", scaled),)
        reason = f"{names.percent} % of the requests and all of the testers' are answered by {names.new}."
        return Result("14.2", Outcome.CORRECT, reason, evidence, measured=measured)
    when = f"With {MANY} pods of {names.new}: " if scaled else ""
    reason, advice = _why(names, failed, count / len(everybody), count in interval, to_new)
    return Result("14.2", Outcome.INCORRECT, when + reason, evidence, advice, measured)


def _why(names: Own, failed: Sequence[str], share: float, as_weighted: bool, to_new: bool) -> tuple[str, str]:
    if failed:
        return (
            f"Some requests get {' and '.join(failed)}.",
            "What does the route say of its backends? Names and ports count.",
        )
    if not as_weighted:
        more = "Who has no testers' header, and still meets the testers' rule?" if share == 1 else ""
        return (
            f"{names.new} answers {share:.0%} of the requests; {names.percent} % are wanted.",
            more or "A weight is a part of the sum of all weights of its rule.",
        )
    if not to_new:
        return (
            "Not every tester reaches the new version.",
            "Which rule does a tester's request meet, and with which weights?",
        )
    return "Whoever sends the header is taken for a tester, whatever it says.", "The value counts, too."


def _ask(lab: Lab, names: Own) -> tuple[Requests, Requests, Requests]:
    urls, via = [f"http://{names.host}{path}" for path in PATHS], f"gateway/{GATEWAY}"
    tester = {names.header: names.value}
    deadline = time.monotonic() + telling.GOOD_SECONDS
    while set(lab.requests(*urls, headers=tester, via=via).counts) != {names.new} and time.monotonic() < deadline:
        time.sleep(0.1)  # what was applied a moment ago gets its moment, and the rules of a route come together
    return (
        lab.requests(*urls, n=REQUESTS // len(urls), keep=True, via=via),
        lab.requests(*urls, n=TESTERS // len(urls), headers=tester, via=via),
        lab.requests(*urls, n=OTHERS // len(urls), headers={names.header: "somebody"}, via=via),
    )


TASK = Task(
    id="14.2",
    title="A canary by weight, and testers by header",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Two kinds of requests, so two rules in the one route. Which of them is for everybody?",
        "backendRefs is a list, and each entry may have a weight. Weights are parts of their sum; that they add up to "
        "100 is only for the reader.",
        "A rule without matches is for all paths. The testers' rule matches by headers, and has one backend. Both "
        "match a tester's request: which one is taken, and must you do anything for it?",
    ),
    solution="""
lab.apply(\"\"\"
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: ${route}
spec:
  parentRefs: [{name: ${gateway}}]
  hostnames: [${host}]
  rules:
  - matches:
    - headers: [{name: ${header}, value: "${value}"}]
    backendRefs:
    - {name: ${new}, port: ${port}}
  - backendRefs:
    - {name: ${old}, port: ${port}, weight: ${rest}}
    - {name: ${new}, port: ${port}, weight: ${percent}}
\"\"\")
""",
)
