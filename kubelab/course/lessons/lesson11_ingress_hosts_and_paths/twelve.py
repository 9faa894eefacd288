"""Task 11.1: the manifest for a table of twelve requests.

Checked by the twelve requests, and by what the Ingresses say of themselves: an explicit class, an address, and a
manifest that the API server would take again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths import stage
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.dry_runs import refusal
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.stage import CLASS, App
from kubelab.course.lessons.lesson11_ingress_hosts_and_paths.wanted import Found, Wanted, all_good, ask
from kubelab.course.seed import Seed
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab
from kubelab.lab.merge import LAST_APPLIED

ADDRESS_SECONDS = 3.0
_PATTERN = set("*()[]{}|^$+\\")
"""Letters that mean something in a regular expression and nothing in a path."""
_NAMES = {
    "front": ("front", "home", "hall"),
    "section": ("orders", "basket", "tickets"),
    "step": ("pay", "refund", "print"),
    "orders": ("shelf", "desk", "store"),
    "till": ("till", "cashier", "kiosk"),
    "stock": ("stock", "catalogue", "prices"),
    "lost": ("lost", "helpdesk", "guide"),
    "version": ("v1", "v2", "v3"),
}


class Own(NamedTuple):
    """One learner's names."""

    shop: str
    api: str
    front: str
    orders: str
    till: str
    stock: str
    lost: str
    section: str
    step: str
    version: str

    @property
    def wanted(self) -> Wanted:
        """The twelve requests."""
        shop, path = f"http://{self.shop}", f"http://{self.shop}/{self.section}"
        return Wanted(
            {
                f"{shop}/": self.front,
                path: self.orders,
                f"{path}/": self.orders,
                f"{path}/7/items": self.orders,
                f"{path}/{self.step}": self.till,
                f"{path}/{self.step}/": self.orders,
                f"{path}-old": self.lost,
                f"{shop}/{self.section.capitalize()}": self.lost,
                f"http://{self.api}/{self.version}": self.stock,
                f"http://{self.api}/{self.version}/items?page=2": self.stock,
                f"http://{self.api}/": "404",
                f"http://www.{self.shop}/{self.section}": self.lost,
            }
        )


def own(seed: Seed) -> Own:
    """The names that the seed gives."""
    chosen = {role: seed.choice(f"11.1/{role}", options) for role, options in _NAMES.items()}
    shop = f"{seed.name('11.1/shop')}.example.test"
    return Own(shop=shop, api=f"api.{shop}", **chosen)


def apps(seed: Seed) -> list[App]:
    """The five apps, each with a port of its own."""
    names = own(seed)
    listed = (names.front, names.orders, names.till, names.stock, names.lost)
    ports = [seed.number(f"11.1/port/{place}", 8000 + 100 * place, 8099 + 100 * place) for place in range(len(listed))]
    return [App(app, port) for app, port in zip(listed, ports, strict=True)]


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own hosts; the table says the rest."""
    names = own(seed)
    return {"shop": names.shop, "api": names.api, "requests": len(names.wanted)}


def secrets(seed: Seed) -> Mapping[str, object]:
    """The manifest."""
    names = own(seed)._asdict()
    return {**names, **{f"{app.app}_port": app.port for app in apps(seed)}, "manifest": _manifest(seed)}


def start(lab: Lab, seed: Seed) -> None:
    """Five apps with their Services, and no Ingress."""
    stage.start(lab, apps(seed))


def check(lab: Lab, seed: Seed) -> Result:
    """Send the twelve requests, and read what the Ingresses say of themselves."""
    if stage.missing(lab, apps(seed)):
        return Result("11.1", Outcome.CANNOT_CHECK, 'The apps of this task are not here; set it up with start("11.1").')
    ingresses = lab.find("ingresses")
    if not ingresses:
        return Result("11.1", Outcome.NOT_ATTEMPTED, "There is no Ingress yet.")
    changed = stage.changed(lab, apps(seed))
    if changed:
        return Result("11.1", Outcome.INCORRECT, f"{changed[0]} is not what it was; only Ingresses are yours to write.")
    stage.undisturbed(lab)
    found = ask(lab, own(seed).wanted)
    if all_good(found):
        ingresses = _with_addresses(lab)
    manifests = [written(each) for each in ingresses]
    return judge(found, manifests, [refusal(lab, each) for each in manifests], ingresses)


def judge(
    found: Sequence[Found], manifests: Sequence[Object], refusals: Sequence[str], ingresses: Sequence[Object]
) -> Result:
    """The outcome; ``refusals``: what a server-side dry run says to each manifest, empty when it takes it."""
    classes = {each["spec"].get("ingressClassName") for each in manifests}
    explicit = classes == {CLASS}
    addressed = all(map(_addresses, ingresses))
    taken = not any(refusals)
    evidence = (
        *(each.evidence for each in found),
        Evidence(f"every Ingress says ingressClassName: {CLASS}", explicit),
        Evidence("every Ingress has an address", addressed),
        Evidence("a server-side dry run takes every manifest", taken),
    )
    measured = {"got": {each.url: each.got for each in found}, "classes": sorted(map(str, classes))}
    bad = [each for each in found if not each.good]
    if bad:
        reason = f"{len(found) - len(bad)} of {len(found)} requests are answered as wanted."
        advice = f"{bad[0].url}: {bad[0].why}. {_advice(bad[0], manifests)}"
    elif not explicit:
        reason = "All requests are answered as wanted, but not every Ingress says whose it is."
        advice = "It is served because this cluster has a default class. What happens on a cluster without one?"
    elif not taken:
        reason, advice = "The manifest would not be taken again.", next(filter(None, refusals))
    elif not addressed:
        reason, advice = "An Ingress has no address, so no controller serves it.", "Is it of use to anybody?"
    else:
        reason = f"All {len(found)} requests are answered as wanted, by Ingresses that say whose they are."
        return Result("11.1", Outcome.CORRECT, reason, evidence, measured=measured)
    return Result("11.1", Outcome.INCORRECT, reason, evidence, advice, measured)


def _with_addresses(lab: Lab) -> list[Object]:
    """The Ingresses as they are when each has an address, which comes a moment after the first answer; or soon."""
    deadline = time.monotonic() + ADDRESS_SECONDS
    while not all(map(_addresses, found := lab.find("ingresses"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _addresses(ingress: Object) -> Sequence[Object]:
    return ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()


def written(ingress: Object) -> Object:
    """The manifest as somebody wrote it, where `apply` has kept it: the API server fills in a default class."""
    kept = (ingress["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    manifest: Object = json.loads(kept) if kept else ingress
    named = {"name": ingress["metadata"]["name"]}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": named, "spec": manifest["spec"]}


def _advice(first: Found, manifests: Sequence[Object]) -> str:
    """Where to look, never what to write."""
    rules = [rule for each in manifests for rule in each["spec"].get("rules") or ()]
    paths = [path.get("path") or "" for rule in rules for path in (rule.get("http") or {}).get("paths") or ()]
    odd = next((path for path in paths if _PATTERN & set(path)), None)
    if odd is not None:
        return f"A path is compared as it stands; in {odd} every sign is a letter like any other."
    if first.wanted == "404":
        return "Whose default is it that takes what no path of this host matches?"
    if any(not rule.get("host") for rule in rules):
        return "A rule without host is for every host that has no rules of its own, and for no other."
    if first.got == "404":
        return "Is there a rule for its host? And which of that host's paths should match?"
    if first.got == "503":
        return "reports(lab) shows what the controller says of a backend that it cannot reach."
    return "Compare that rule with the request, letter by letter and element by element."


def _manifest(seed: Seed) -> str:
    names, port = own(seed), {app.app: app.port for app in apps(seed)}

    def path(kind: str, value: str, service: str) -> str:
        return (
            f"      - path: {value}\n        pathType: {kind}\n"
            f"        backend: {{service: {{name: {service}, port: {{number: {port[service]}}}}}}}\n"
        )

    head = (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: {}\nspec:\n  ingressClassName: kubelab\n"
    )
    default = f"  defaultBackend: {{service: {{name: {names.lost}, port: {{number: {port[names.lost]}}}}}}}\n"
    rule = "  rules:\n  - host: {}\n    http:\n      paths:\n"
    shop = (
        path("Exact", "/", names.front)
        + path("Prefix", f"/{names.section}", names.orders)
        + path("Exact", f"/{names.section}/{names.step}", names.till)
    )
    api = path("Prefix", f"/{names.version}", names.stock)
    return (
        head.format("shop") + default + rule.format(names.shop) + shop
        + "---\n" + head.format("api") + rule.format(names.api) + api
    ).rstrip()  # fmt: skip


TASK = Task(
    id="11.1",
    title="Twelve requests",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Sort the twelve by host first: three hosts, one of which you need not name anywhere. Then look at each host's "
        "requests with one question: which path is the shortest that takes this one and none of its neighbours?",
        "Two neighbours differ by a slash at the end and are wanted from two apps: which of the two path types can "
        "tell them apart, and which app can then have the rest?",
        "The request that is to get 404 and the one whose host nobody names both meet no path. What becomes of such "
        "requests is said by default backends; and an Ingress's default is for the hosts of that Ingress first. Must "
        "all hosts stand in one Ingress?",
    ),
    solution='lab.apply("""\n${manifest}\n""")',
)
