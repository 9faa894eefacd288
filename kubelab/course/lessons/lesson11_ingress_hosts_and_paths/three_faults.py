"""Task 11.2: an Ingress with three faults, to be repaired without a touch to the apps and to the neighbours' catch-all.

None of the three is an error to the API server, and two of them are answered with 200.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import App, path, rule
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Found, Wanted, all_good, ask
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab

SHOP, HELP, LANDING = "shop", "help", "landing"
"""The Ingresses: two to repair, and the catch-all that is right as it is."""
KIND, CASE = "pathType", "case"
PORT, SERVICE = "port name", "Service name"
HOST, CLASS = "host", "class"
NOBODYS_CLASS = "nginx"
_PORT_NAMES = ("http", "front", "serve")


class Faults(NamedTuple):
    """What is wrong in each of the three places."""

    cart: str
    search: str
    help: str


class Own(NamedTuple):
    """One learner's names."""

    domain: str
    cart: str
    search: str
    port_name: str
    faults: Faults

    @property
    def host(self) -> str:
        """The shop's host."""
        return f"www.{self.domain}"

    @property
    def help_host(self) -> str:
        """The other host."""
        return f"help.{self.domain}"

    @property
    def wanted(self) -> Wanted:
        """What is to be answered by whom; the last is a host without rules of its own."""
        shop = f"http://{self.host}"
        return Wanted(
            {
                f"{shop}/": "front",
                f"{shop}/{self.cart}": "cart",
                f"{shop}/{self.cart}/7": "cart",
                f"{shop}/{self.search}": "search",
                f"{shop}/{self.search}/shoes?page=2": "search",
                f"http://{self.help_host}/": "help",
                f"http://{self.help_host}/faq": "help",
                f"http://w.{self.domain}/": LANDING,
            }
        )

    def ingresses(self, faults: Faults | None) -> list[Object]:
        """The two Ingresses, with these faults or with none."""
        wrong = faults or Faults("", "", "")
        cart = path(
            "Exact" if wrong.cart == KIND else "Prefix",
            f"/{self.cart.capitalize() if wrong.cart == CASE else self.cart}",
            "cart",
            self.port_name,
        )
        search = path(
            "Prefix",
            f"/{self.search}",
            misspelt("search") if wrong.search == SERVICE else "search",
            misspelt(self.port_name) if wrong.search == PORT else self.port_name,
        )
        front = path("Prefix", "/", "front", self.port_name)
        host = misspelt(self.help_host) if wrong.help == HOST else self.help_host
        classes: dict[str, Any] = {"ingressClassName": NOBODYS_CLASS} if wrong.help == CLASS else {}
        return [
            stage.ingress(SHOP, [rule(self.host, [front, cart, search])]),
            stage.ingress(HELP, [rule(host, [path("Prefix", "/", "help", self.port_name)])], **classes),
        ]

    @property
    def landing(self) -> Object:
        """The catch-all: every host of the domain that has no rules of its own."""
        return stage.ingress(LANDING, [rule(f"*.{self.domain}", [path("Prefix", "/", LANDING, self.port_name)])])


def own(seed: Seed) -> Own:
    """The names and the faults that the seed gives."""
    return Own(
        domain=f"{seed.name('11.2/domain')}.example.test",
        cart=seed.choice("11.2/cart", ("cart", "basket", "trolley")),
        search=seed.choice("11.2/search", ("search", "find", "query")),
        port_name=seed.choice("11.2/port-name", _PORT_NAMES),
        faults=Faults(
            seed.choice("11.2/fault/cart", (KIND, CASE)),
            seed.choice("11.2/fault/search", (PORT, SERVICE)),
            seed.choice("11.2/fault/help", (HOST, CLASS)),
        ),
    )


def misspelt(word: str) -> str:
    """The word with two letters in the wrong order, never the word itself."""
    for at in range(1, len(word) - 1):
        if word[at] != word[at + 1]:
            return f"{word[:at]}{word[at + 1]}{word[at]}{word[at + 2 :]}"
    return word + word[-1]


def apps(seed: Seed) -> list[App]:
    """The five apps."""
    named = own(seed).port_name
    return [
        App(app, seed.number(f"11.2/port/{app}", 8001, 8999), named)
        for app in ("front", "cart", "search", HELP, LANDING)
    ]


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own hosts."""
    names = own(seed)
    return {"domain": names.domain, "host": names.host, "help_host": names.help_host, "port_name": names.port_name}


def secrets(seed: Seed) -> Mapping[str, object]:
    """What is wrong, and the paths."""
    names = own(seed)
    said = {
        KIND: f"Exact /{names.cart} takes no path below it",
        CASE: f"/{names.cart.capitalize()} is not /{names.cart}",
        PORT: f"there is no port {misspelt(names.port_name)}",
        SERVICE: f"there is no Service {misspelt('search')}",
        HOST: "a host was misspelt, and the catch-all took its requests",
        CLASS: f"nobody here serves the class {NOBODYS_CLASS}, and the catch-all took its requests",
    }
    return {
        "cart": names.cart,
        "search": names.search,
        "told": "\n".join(f"# {said[fault]}" for fault in names.faults),
    }


def start(lab: Lab, seed: Seed) -> None:
    """Five apps and three Ingresses, two of them with faults."""
    names = own(seed)
    stage.start(lab, apps(seed))
    lab.apply([names.landing, *names.ingresses(names.faults)])
    lab.wait(f"ingress/{LANDING}", "answers")
    lab.wait(f"ingress/{SHOP}", "answers")


def check(lab: Lab, seed: Seed) -> Result:
    """Ask for every page of the table."""
    names = own(seed)
    if stage.missing(lab, apps(seed)):
        return Result("11.2", Outcome.CANNOT_CHECK, 'The apps of this task are not here; set it up with start("11.2").')
    changed = stage.changed(lab, apps(seed))
    if changed:
        reason = f"{changed[0]} is not what it was; the Ingresses are what is to be repaired."
        return Result("11.2", Outcome.INCORRECT, reason, advice='start("11.2") sets everything up again.')
    stage.undisturbed(lab)
    landing = lab.find_one(f"ingress/{LANDING}")
    if landing is None or landing["spec"] != names.landing["spec"]:
        reason = f"The Ingress {LANDING} is not what it was: without it, whoever mistypes a host sees a bare 404."
        return Result(
            "11.2",
            Outcome.INCORRECT,
            reason,
            advice="It is right as it is. What sent it requests that are not its own?",
        )
    live = [lab.find_one(f"ingress/{name}") for name in (SHOP, HELP)]
    if [each and each["spec"] for each in live] == [each["spec"] for each in names.ingresses(names.faults)]:
        return Result("11.2", Outcome.NOT_ATTEMPTED, f"The Ingresses {SHOP} and {HELP} are as they were at the start.")
    return judge(ask(lab, names.wanted))


def judge(found: Sequence[Found]) -> Result:
    """The outcome, from what the requests got."""
    evidence: tuple[Evidence, ...] = tuple(each.evidence for each in found)
    measured = {"got": {each.url: each.got for each in found}}
    if all_good(found):
        reason = "Every page is answered by the app that it belongs to."
        evidence += (Evidence(f"apps, Services and the Ingress {LANDING} are as they were", True),)
        return Result("11.2", Outcome.CORRECT, reason, evidence, measured=measured)
    bad = [each for each in found if not each.good]
    reason = f"{len(bad)} of {len(found)} requests are not answered as wanted."
    silent = [each for each in bad if each.got[:1].isdigit()]
    advice = f"{bad[0].url}: {bad[0].why}."
    if not silent:
        advice += " Nobody sees an error here: 200 says that an app has answered, not that it was the right one."
    return Result("11.2", Outcome.INCORRECT, reason, evidence, advice, measured)


TASK = Task(
    id="11.2",
    title="Three faults, two of them polite",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Begin with the table: which requests are answered by the wrong app, and which by nobody? The three groups "
        "that you find are the three faults.",
        "503: reports(lab) shows what the controller has to say of it. Compare names with services(lab), letter by "
        "letter.",
        "Answered by front: the request met the host's shortest path, so the longer one did not match. "
        "lab.decide(URL).others says of every rule why it was passed over.",
        "Answered by landing: the request met no rule for its host. Either no rule has that host, or nobody serves the "
        "Ingress in which it stands: look at hosts, classes and addresses.",
    ),
    solution='''
${told}
lab.apply("""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shop
spec:
  ingressClassName: kubelab
  rules:
  - host: ${host}
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: front, port: {name: ${port_name}}}}
      - path: /${cart}
        pathType: Prefix
        backend: {service: {name: cart, port: {name: ${port_name}}}}
      - path: /${search}
        pathType: Prefix
        backend: {service: {name: search, port: {name: ${port_name}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: help
spec:
  ingressClassName: kubelab
  rules:
  - host: ${help_host}
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: help, port: {name: ${port_name}}}}
""")
''',
)
