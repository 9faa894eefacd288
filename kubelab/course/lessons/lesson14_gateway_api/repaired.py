"""Task 14.3: a Gateway of one team, a route and a certificate of another, and two faults between them.

One is in the ReferenceGrant, one in the Gateway's listener; conditions name both. A door that is opened wider than it
has to be is refused: a third team's route is not to get in, and no other Secret is to be lent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import App
from kubelab.course.lessons.lesson14_gateway_api import telling
from kubelab.course.lessons.lesson14_gateway_api.objects import beside
from kubelab.course.lessons.lesson14_gateway_api.two_teams import (
    GATEWAY,
    GRANT,
    INTRUDER,
    LEDGER,
    NEIGHBOUR,
    PLATFORM,
    ROUTE,
    SECRET,
    Own,
    own,
)
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.conditions import Condition
from kubelab.lab.entrance import entrance
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Reply
from kubelab.routing.gateway.references import Grants

REQUEST_SECONDS = 1.5


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    names = own(seed)
    return {"host": names.host, "app": names.app, "gateway": GATEWAY, "route": ROUTE, "grant": GRANT, "secret": SECRET}


def secrets(seed: Seed) -> Mapping[str, object]:
    """What is wrong."""
    names = own(seed)
    return {"domain": names.domain, "told": names.told}


def start(lab: Lab, seed: Seed) -> None:
    """Three namespaces: the shop with its certificate, the platform with a Gateway, and a team next door."""
    names = own(seed)
    platform, neighbour = beside(lab, PLATFORM), beside(lab, NEIGHBOUR)
    for each in (platform, neighbour):
        each.reset()
    stage.start(lab, [App(names.app, names.port)])
    lab.certificate(names.host, secret=SECRET)
    lab.certificate(f"{LEDGER}.{names.domain}", secret=LEDGER)
    platform.apply(names.gateway(lab, names.listener_fault))
    lab.apply([names.grant(lab, names.grant_fault), names.route(lab)])
    neighbour.apply(names.route(lab, INTRUDER))
    telling.heard(lab, f"httproute/{ROUTE}")


def check(lab: Lab, seed: Seed) -> Result:
    """Ask over HTTPS, and read what every object says."""
    names, platform, neighbour = own(seed), beside(lab, PLATFORM), beside(lab, NEIGHBOUR)
    lab.find_one(f"namespace/{platform.namespace}")  # where there can be none, it says so
    grants = lab.find("referencegrants")
    edge, route, intruder = (
        platform.find_one(f"gateway/{GATEWAY}"),
        lab.find_one(f"httproute/{ROUTE}"),
        neighbour.find_one(f"httproute/{INTRUDER}"),
    )
    if edge is None or intruder is None or stage.missing(lab, [App(names.app)]):
        return Result("14.3", Outcome.CANNOT_CHECK, 'Some of this task is not here; set it up with start("14.3").')
    if route is None or not _within(names.route(lab)["spec"], route["spec"]):
        reason = f"The HTTPRoute {ROUTE} is not what it was; it asks for the right thing at the right place."
        return Result("14.3", Outcome.INCORRECT, reason, advice='start("14.3") sets everything up again.')
    if _as_at_the_start(names, lab, edge, grants):
        return Result("14.3", Outcome.NOT_ATTEMPTED, f"The Gateway {GATEWAY} and the grant are as they were.")
    said = telling.settled((platform, f"gateway/{GATEWAY}"), (lab, f"httproute/{ROUTE}"))
    return judge(
        names,
        said,
        _reply(lab, platform, names),
        own_secret=_refers(edge) == {(lab.namespace, SECRET)},
        intruder_out=not any(
            each.holds for each in telling.heard(neighbour, f"httproute/{INTRUDER}") if _accepts(each)
        ),
        lent_only=_lent_only(grants, lab, platform, neighbour),
    )


def judge(
    names: Own, said: Iterable[Condition], reply: Reply | str, *, own_secret: bool, intruder_out: bool, lent_only: bool
) -> Result:
    """The outcome; ``reply``: the answer to a request over HTTPS, or why there is none."""
    bad = [each for each in said if not telling.is_good(each)]
    particular = [each for each in bad if each.reason != "Invalid"] or bad
    answered = isinstance(reply, Reply) and reply.code == 200 and reply.workload == names.app
    trusted = isinstance(reply, Reply) and reply.verified is True
    got = reply.words if isinstance(reply, Reply) else reply
    evidence = (
        Evidence(f"https://{names.host}/ is answered by {names.app}", answered),
        Evidence("with a certificate for this host", trusted),
        Evidence("Gateway and route say Accepted, Programmed and ResolvedRefs, of themselves as they are", not bad),
        Evidence("the certificate is still the shop's own Secret", own_secret),
        Evidence("the route of the team next door is not let in", intruder_out),
        Evidence(f"no other Secret and no other namespace has a grant, as for {LEDGER}", lent_only),
    )
    measured = {"got": got, "wrong": [each.words for each in particular]}
    if all(item.good for item in evidence):
        reason = "The shop is served by the platform's Gateway, and nobody else has got in."
        return Result("14.3", Outcome.CORRECT, reason, evidence, measured=measured)
    reason, advice = _why(particular, got, answered, own_secret, intruder_out)
    return Result("14.3", Outcome.INCORRECT, reason, evidence, advice, measured)


def _why(wrong: Sequence[Condition], got: str, answered: bool, own_secret: bool, intruder_out: bool) -> tuple[str, str]:
    if not own_secret:
        return "The listener names another Secret than the shop's.", "A copy of a key has to be renewed, too. By whom?"
    if wrong:
        number = "One condition is" if len(wrong) == 1 else f"{len(wrong)} conditions are"
        return f"{number} not as they should be.", wrong[0].words
    if not answered:
        return f"The request got: {got}.", "Which object is the first on its way that says something?"
    if not intruder_out:
        return "The shop is served; and so is the route of the team next door.", "Whom did you let in, all or one?"
    return "The shop is served; and more is lent than that.", "A grant without a name is for every Secret there is."


def _reply(lab: Lab, platform: Lab, names: Own) -> Reply | str:
    """The answer; what was applied a moment ago gets its moment."""
    deadline = time.monotonic() + telling.GOOD_SECONDS
    while True:
        try:
            address = entrance(platform, via=f"gateway/{GATEWAY}").address
            (reply,) = lab.requests(f"https://{names.host}/", address=address, timeout=REQUEST_SECONDS)
        except LabError as error:
            return str(error).rstrip(".")
        if reply.code == 200 or time.monotonic() > deadline:
            return reply


def _as_at_the_start(names: Own, lab: Lab, edge: Object, grants: Sequence[Object]) -> bool:
    at_start = names.gateway(lab, names.listener_fault)["spec"]
    same_grants = [each["spec"] for each in grants] == [names.grant(lab, names.grant_fault)["spec"]]
    return same_grants and _within(at_start, edge["spec"])


def _refers(edge: Object) -> set[tuple[str, str]]:
    listed = [ref for each in edge["spec"]["listeners"] for ref in (each.get("tls") or {}).get("certificateRefs") or ()]
    return {(ref.get("namespace") or edge["metadata"]["namespace"], ref["name"]) for ref in listed}


def _lent_only(grants: Iterable[Object], lab: Lab, platform: Lab, neighbour: Lab) -> bool:
    """Whether the ledger is closed to the platform, and the certificate to the team next door."""
    given = Grants(grants)
    ledger = given.permit("Gateway", platform.namespace, "Secret", lab.namespace, LEDGER)
    next_door = given.permit("Gateway", neighbour.namespace, "Secret", lab.namespace, SECRET)
    return not ledger and not next_door


def _accepts(condition: Condition) -> bool:
    return condition.type == "Accepted"


def _within(wanted: Any, live: Any) -> bool:
    """Whether everything that was wanted is there; the API server adds its defaults."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_within(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        same_length = isinstance(live, list) and len(live) == len(wanted)
        return same_length and all(_within(*pair) for pair in zip(wanted, live, strict=True))
    return bool(wanted == live)


TASK = Task(
    id="14.3",
    title="Two teams, two faults",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        'Let the objects speak first: told(platform, "gateway/${gateway}") and told(lab, "httproute/${route}"). Each '
        "fault has a reason and a message of its own. Which object does each message point at?",
        "RefNotPermitted: a reference into another namespace has to be granted there, by whoever owns what is referred "
        "to. Read the grant as a sentence: who (kind and namespace) may use what (kind and name)?",
        "NotAllowedByListeners is about the route's namespace, NoMatchingListenerHostname about its hostnames. Both "
        'are decided in the Gateway\'s listener; platform.get("gateway/${gateway}") shows it.',
        "Let in one namespace and not all: a selector by a label that this namespace alone has. Every namespace has "
        "the label kubernetes.io/metadata.name with its own name.",
    ),
    solution='''
${told}
lab.apply(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata:
  name: ${grant}
spec:
  from:
  - group: gateway.networking.k8s.io
    kind: Gateway
    namespace: {platform.namespace}
  to:
  - group: ""
    kind: Secret
    name: ${secret}
""")
platform.apply(f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: ${gateway}
spec:
  gatewayClassName: kubelab
  listeners:
  - name: https
    protocol: HTTPS
    port: 443
    hostname: "*.${domain}"
    tls:
      certificateRefs:
      - {{name: ${secret}, namespace: {lab.namespace}}}
    allowedRoutes:
      namespaces:
        from: Selector
        selector:
          matchLabels:
            kubernetes.io/metadata.name: {lab.namespace}
""")
''',
)
