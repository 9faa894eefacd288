"""Task 14.1: an Ingress is replaced by a Gateway and its HTTPRoutes; twelve requests are answered as before.

Checked by the twelve requests, sent to the Gateway's address, and by what the objects say of themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import App
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Found, Wanted, ask
from kubelab.course.lessons.lesson14_gateway_api import telling
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.conditions import Condition
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab

INGRESS, SECRET = "site", "site-tls"
REQUEST_SECONDS = 1.5
TELLING = ("Accepted", "Programmed", "ResolvedRefs")
"""The conditions that have to be True."""
_BRANCHES = ("north", "south", "east", "west")


class Own(NamedTuple):
    """One learner's names."""

    host: str
    section: str
    step: str
    branches: tuple[str, str]
    gateway: str
    port_name: str
    front: str
    list: str
    till: str
    branch: str
    lost: str

    @property
    def branch_hosts(self) -> tuple[str, str]:
        """The two names under the wildcard that are in use."""
        first, second = self.branches
        return f"{first}.{self.host}", f"{second}.{self.host}"

    @property
    def wanted(self) -> Wanted:
        """The twelve requests."""
        http, section = f"http://{self.host}", f"https://{self.host}/{self.section}"
        first, second = self.branch_hosts
        return Wanted(
            {
                f"{http}/": self.front,
                f"https://{self.host}/": self.front,
                f"{http}/{self.section}": self.list,
                f"{section}/7": self.list,
                f"{section}/{self.step}": self.till,
                f"{section}/{self.step}/": self.list,
                f"{http}/{self.section}s": self.lost,
                f"https://{self.host}/about": self.lost,
                f"http://{first}/": self.branch,
                f"http://{second}/menu": self.branch,
                f"http://a.{first}/": self.lost,
                "http://nobody.test/": self.lost,
            }
        )

    @property
    def ingress(self) -> Object:
        """What is to be replaced."""
        named = self.port_name
        site = [
            stage.path("Exact", "/", self.front, named),
            stage.path("Prefix", f"/{self.section}", self.list, named),
            stage.path("Exact", f"/{self.section}/{self.step}", self.till, named),
        ]
        rules = [
            stage.rule(self.host, site),
            stage.rule(f"*.{self.host}", [stage.path("Prefix", "/", self.branch, named)]),
        ]
        tls = [{"hosts": [self.host], "secretName": SECRET}]
        default = {"service": {"name": self.lost, "port": {"name": named}}}
        return stage.ingress(INGRESS, rules, tls=tls, defaultBackend=default)


def own(seed: Seed) -> Own:
    """The names that the seed gives."""
    first = seed.number("14.1/branch", 0, 3)
    return Own(
        host=f"{seed.name('14.1/host')}.test",
        section=seed.choice("14.1/section", ("order", "ticket", "basket")),
        step=seed.choice("14.1/step", ("pay", "refund", "print")),
        branches=(_BRANCHES[first], _BRANCHES[first - 1]),
        gateway=seed.name("14.1/gateway"),
        port_name=seed.choice("14.1/port-name", ("http", "front", "serve")),
        front=seed.choice("14.1/front", ("front", "home", "hall")),
        list=seed.choice("14.1/list", ("shelf", "desk", "store")),
        till=seed.choice("14.1/till", ("till", "cashier", "kiosk")),
        branch=seed.choice("14.1/app", ("branch", "outlet", "office")),
        lost=seed.choice("14.1/lost", ("lost", "helpdesk", "guide")),
    )


def apps(seed: Seed) -> list[App]:
    """The five apps, each with a port of its own."""
    names = own(seed)
    listed = (names.front, names.list, names.till, names.branch, names.lost)
    ports = [seed.number(f"14.1/port/{place}", 8000 + 100 * place, 8099 + 100 * place) for place in range(len(listed))]
    return [App(app, port, names.port_name) for app, port in zip(listed, ports, strict=True)]


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    names = own(seed)
    return {
        "ingress": INGRESS,
        "gateway": names.gateway,
        "host": names.host,
        "secret": SECRET,
        "branches": " ".join(names.branch_hosts),
    }


def secrets(seed: Seed) -> Mapping[str, object]:
    """The manifest."""
    return {"manifest": _manifest(seed)}


def start(lab: Lab, seed: Seed) -> None:
    """Five apps, a certificate and the Ingress in front of them."""
    names = own(seed)
    stage.start(lab, apps(seed))
    lab.certificate(names.host, secret=SECRET)
    lab.apply(names.ingress)
    lab.wait(f"ingress/{INGRESS}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Send the twelve requests to the Gateway, read the conditions, and look for Ingresses."""
    names = own(seed)
    if stage.missing(lab, apps(seed)):
        return Result("14.1", Outcome.CANNOT_CHECK, 'The apps of this task are not here; set it up with start("14.1").')
    ingresses = [each["metadata"]["name"] for each in lab.find("ingresses")]
    gateways = [each["metadata"]["name"] for each in lab.find("gateways")]
    if not gateways and INGRESS in ingresses:
        return Result(
            "14.1", Outcome.NOT_ATTEMPTED, f"There is no Gateway yet, and the Ingress {INGRESS} still serves."
        )
    changed = stage.changed(lab, apps(seed))
    if changed:
        return Result(
            "14.1", Outcome.INCORRECT, f"{changed[0]} is not what it was; what leads to it is to be replaced."
        )
    if names.gateway not in gateways:
        there = f"; there is {', '.join(gateways)}" if gateways else ""
        return Result("14.1", Outcome.INCORRECT, f"There is no Gateway {names.gateway}{there}.")
    said = _conditions(lab, names.gateway)
    try:
        found = ask(lab, names.wanted, via=f"gateway/{names.gateway}", timeout=REQUEST_SECONDS)
        secure = lab.requests(f"https://{names.host}/", via=f"gateway/{names.gateway}", timeout=REQUEST_SECONDS)
    except LabError as error:
        advice = next((each.words for each in said if not telling.is_good(each)), "")
        return Result("14.1", Outcome.INCORRECT, str(error), advice=advice)
    return judge(found, said, verified=secure[0].verified is True, ingresses=ingresses)


def judge(found: Sequence[Found], said: Iterable[Condition], *, verified: bool, ingresses: Sequence[str]) -> Result:
    """The outcome; ``said``: the conditions of the Gateway and of all routes, ``verified``: the certificate's host."""
    wrong = [each for each in said if each.type in TELLING and not each.holds]
    evidence = (
        *(each.evidence for each in found),
        Evidence("the certificate that is served is one for this host", verified),
        Evidence("Accepted, ResolvedRefs and Programmed are True, of every object as it is now", not wrong),
        Evidence("the Ingress is gone", not ingresses),
    )
    measured = {"got": {each.url: each.got for each in found}, "wrong": [each.words for each in wrong]}
    bad = [each for each in found if not each.good]
    if bad:
        reason = f"{len(found) - len(bad)} of {len(found)} requests get the same answer through the Gateway."
        advice = f"{bad[0].url} met {bad[0].why}. {_advice(bad)}"
    elif not verified:
        reason, advice = "HTTPS is answered, but not with a certificate for this host.", "Which Secret does it name?"
    elif wrong:
        reason, advice = "All requests are answered, but one object says that something is wrong.", wrong[0].words
    elif ingresses:
        reason = "All requests get the same answer through the Gateway; and there is still an Ingress."
        advice = "As long as both are there, nobody knows which of them a client uses, and both have to be kept up."
    else:
        reason = f"All {len(found)} requests get the same answer through the Gateway, and the Ingress is gone."
        return Result("14.1", Outcome.CORRECT, reason, evidence, measured=measured)
    return Result("14.1", Outcome.INCORRECT, reason, evidence, advice, measured)


def _conditions(lab: Lab, gateway: str) -> list[Condition]:
    routes = [each["metadata"]["name"] for each in lab.find("httproutes")]
    return telling.settled((lab, f"gateway/{gateway}"), *((lab, f"httproute/{each}") for each in routes))


def _advice(bad: Sequence[Found]) -> str:
    """Where to look, never what to write."""
    first = bad[0]
    if first.url.startswith("https:") and not first.got[:1].isdigit():
        return "Ports are not implied any more: who says that something listens at 443, and with which certificate?"
    if "//a." in first.url:
        return "How many labels does *. stand for in an HTTPRoute, and how many in an Ingress?"
    if first.got == "404":
        return (
            "An Ingress has a field for what nobody names, be it a host or a path. Is there a rule here that does it?"
        )
    if first.got == "500":
        return "told(lab, …) shows what the route says of the backend that it cannot find."
    return "Compare the rule with the Ingress's, and the order in which rules of equal length are taken."


def _manifest(seed: Seed) -> str:
    names, port = own(seed), {app.app: app.port for app in apps(seed)}

    def rule(kind: str, path: str, service: str) -> str:
        return (
            f"  - matches: [{{path: {{type: {kind}, value: {path}}}}}]\n"
            f"    backendRefs: [{{name: {service}, port: {port[service]}}}]\n"
        )

    def route(name: str, hosts: Iterable[str], *rules: str) -> str:
        named = "".join(f"  - {host}\n" for host in hosts)
        return (
            f"---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: {name}\nspec:\n"
            f"  parentRefs: [{{name: {names.gateway}}}]\n" + (f"  hostnames:\n{named}" if named else "")
            + "  rules:\n" + "".join(rules)
        )  # fmt: skip

    section = f"/{names.section}"
    return (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n"
        f"  name: {names.gateway}\nspec:\n  gatewayClassName: kubelab\n  listeners:\n"
        "  - {name: http, protocol: HTTP, port: 80}\n"
        "  - name: https\n    protocol: HTTPS\n    port: 443\n"
        f"    tls: {{certificateRefs: [{{name: {SECRET}}}]}}\n"
        + route("site", [names.host], rule("Exact", "/", names.front), rule("PathPrefix", section, names.list),
                rule("Exact", f"{section}/{names.step}", names.till), rule("PathPrefix", "/", names.lost))
        + route("branches", names.branch_hosts, rule("PathPrefix", "/", names.branch))
        + route("the-rest", [], rule("PathPrefix", "/", names.lost))
    ).rstrip()  # fmt: skip


TASK = Task(
    id="14.1",
    title="Migrate an Ingress",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Go through the Ingress field by field, with the lesson's table beside it. Two of its fields have no field of "
        "the same kind in the Gateway API: which?",
        'RequestMatrix(lab, urls=list(wanted(task)), predicted=wanted(task), via="gateway/${gateway}") shows how far '
        'you are, and for each request the rule that it met. Ports are numbers there; lab.find("services") has them.',
        "An Ingress's default backend takes two kinds of requests: those whose host nobody names, and those whose host "
        "is named while no path matches. In the Gateway API these are two rules in two routes, if it is to work with "
        "every controller. Which hostnames has the first, and which path the second?",
        "If a.… is answered by the branches' app, a wildcard reaches further than it did. The names that are in use "
        "are known: must there be a wildcard at all?",
    ),
    solution="""
lab.apply(\"\"\"
${manifest}
\"\"\")
lab.wait("gateway/${gateway}", "answers")
lab.delete("ingress/${ingress}")
""",
)
