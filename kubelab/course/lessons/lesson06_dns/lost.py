"""Task 6.1: three names that a client asks for, and one thing that is wrong, in its pod, in the server's or between.

The check asks for the names from the client's pod. When all is well, it replaces the server and asks again: an address
that was written down by hand does not outlive that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubelab.course import files
from kubelab.course.catalogue import Task
from kubelab.course.lessons.lesson06_dns.resolvers import name_server
from kubelab.course.lessons.lesson06_dns.shapes import PACKAGE, START_SECONDS
from kubelab.course.seed import Seed
from kubelab.course.tables import Table
from kubelab.grading import Evidence, Outcome, Result
from kubelab.lab.api import Object
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.lookup import NO_ANSWER, Lookup
from kubelab.lab.waiting import Seen, until

CUSTOMER = "customer"
POLICY, SEARCH, SUBDOMAIN, PORT_NAME = "policy", "search", "subdomain", "port name"
FAULTS = (POLICY, SEARCH, SUBDOMAIN, PORT_NAME)
SETTLE_SECONDS = 4.0
"""How long the name server may take to hear of what was applied a moment ago."""
_WRONG_PORT_NAMES = {"http": "htpp", "front": "fornt", "serve": "sreve"}


def facts(seed: Seed) -> Mapping[str, object]:
    """The learner's own names."""
    return {
        "app": seed.name("6.1/app"),
        "service": seed.name("6.1/service"),
        "host": seed.choice("6.1/host", ("first", "leader", "primary")),
        "port_name": seed.choice("6.1/port-name", tuple(_WRONG_PORT_NAMES)),
        "port": seed.number("6.1/port", 8001, 8999),
    }


def fault(seed: Seed) -> str:
    """One of `FAULTS`."""
    return seed.choice("6.1/fault", FAULTS)


def start(lab: Lab, seed: Seed) -> None:
    """A server with a name, a client, and the fault."""
    lab.apply(files.manifest(PACKAGE, "server"))
    lab.apply(_objects(seed, fault(seed)))
    lab.apply(_customer(fault(seed), name_server(lab)))
    for deployment in (facts(seed)["app"], CUSTOMER):
        lab.wait(f"deployment/{deployment}", "available", timeout=START_SECONDS)


def finds(lab: Lab, service: str, host: str, port_name: str) -> Table:
    """What the customer's pod gets for the three names that it asks for."""
    rows = [(found.name, found.type, _words(found)) for found in _ask(lab, service, host, port_name)]
    return Table(("the customer asks for", "type", "and gets"), tuple(rows))


def check(lab: Lab, seed: Seed) -> Result:
    """Ask from the customer's pod; when all is well, replace the server and ask again."""
    own = facts(seed)
    missing = [name for name in (own["app"], CUSTOMER) if lab.find_one(f"deployment/{name}") is None]
    if missing:
        return Result("6.1", Outcome.CANNOT_CHECK, f'There is no Deployment {missing[0]}; set up with start("6.1").')
    if _untouched(lab, seed):
        return Result("6.1", Outcome.NOT_ATTEMPTED, "Everything is as you were given it.")
    for deployment in (own["app"], CUSTOMER):
        lab.wait(f"deployment/{deployment}", "available")
    good = measure(lab, own)
    if not all(good.values()):
        return judge(good, replaced=False)
    lab.delete(f"app={own['app']}")
    lab.wait(f"deployment/{own['app']}", "available", timeout=START_SECONDS)
    return judge(measure(lab, own), replaced=True)


def measure(lab: Lab, own: Mapping[str, object]) -> dict[str, bool]:
    """The three questions, in words, and whether each is answered as it should be."""
    seen: list[dict[str, bool]] = []
    service, host, port_name = (str(own[name]) for name in ("service", "host", "port_name"))

    def look() -> Seen:
        pods = lab.pods(f"app={own['app']}")
        ready = {pod.ip for pod in pods if pod.ready and not pod.terminating}
        by_name, by_host, by_port = _ask(lab, service, host, port_name)
        target = f"{host}.{service}.{lab.namespace}.svc.cluster.local"
        seen.append(
            {
                f"{by_name.name} leads to the server": set(by_name.addresses) == ready != set(),
                f"{by_host.name} leads to the server": set(by_host.addresses) == ready != set(),
                f"{by_port.name} says port {own['port']} of {host}.{service}": [
                    record.data.split()[2:] for record in by_port.records
                ]
                == [[str(own["port"]), target]],
            }
        )
        return Seen(all(seen[-1].values()), "")

    try:
        until(look, "The names do not lead to the server", SETTLE_SECONDS)
    except LabError:
        if not seen:
            raise
    return seen[-1]


def judge(good: Mapping[str, bool], *, replaced: bool) -> Result:
    """The outcome, from the answers that the customer got."""
    evidence = tuple(Evidence(words, each) for words, each in good.items())
    if all(good.values()):
        evidence += (Evidence("still so after the server was replaced", replaced),)
        return Result("6.1", Outcome.CORRECT, "The customer finds its server by all three names.", evidence)
    by_name, by_host, _ = good.values()
    if not by_name:
        advice = "Not even the Service's name. Do other pods find it? Compare what they have in /etc/resolv.conf."
    elif not by_host:
        advice = "The Service is found and the pod's own name is not. Which two fields of a pod make its name?"
    else:
        advice = "Both names are found and the port is not. Whose name stands in an SRV question?"
    when = "After the server was replaced, " if replaced else ""
    count = sum(not each for each in good.values())
    reason = f"{when}{count} of 3 questions {'is' if count == 1 else 'are'} not answered as the customer needs it."
    return Result("6.1", Outcome.INCORRECT, reason, evidence, advice)


def secrets(seed: Seed) -> Mapping[str, object]:
    """The repair."""
    own = facts(seed)
    return {"repair": _REPAIRS[fault(seed)](own)}


def _repair_client(own: Mapping[str, object]) -> str:
    return """
deployment = lab.get("deployment/customer")
spec = deployment["spec"]["template"]["spec"]
spec.pop("dnsConfig", None)
spec["dnsPolicy"] = "ClusterFirst"
lab.delete("deployment/customer")
lab.wait("app=customer", "deleted")
lab.apply({
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "customer"},
    "spec": {
        "selector": deployment["spec"]["selector"],
        "template": {"metadata": {"labels": {"app": "customer"}}, "spec": spec},
    },
})
lab.wait("deployment/customer", "available")
"""


def _repair_server(own: Mapping[str, object]) -> str:
    return f"""
deployment = lab.get("deployment/{own["app"]}")
deployment["spec"]["template"]["spec"]["subdomain"] = "{own["service"]}"
lab.apply({{
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {{"name": "{own["app"]}"}},
    "spec": deployment["spec"],
}})
lab.wait("deployment/{own["app"]}", "available")
"""


def _repair_service(own: Mapping[str, object]) -> str:
    return f'''
lab.apply("""
apiVersion: v1
kind: Service
metadata:
  name: {own["service"]}
spec:
  clusterIP: None
  selector:
    app: {own["app"]}
  ports:
  - name: {own["port_name"]}
    port: {own["port"]}
""")
'''


_REPAIRS: dict[str, Callable[[Mapping[str, object]], str]] = {
    POLICY: _repair_client,
    SEARCH: _repair_client,
    SUBDOMAIN: _repair_server,
    PORT_NAME: _repair_service,
}


def _objects(seed: Seed, wrong: str) -> list[Object]:
    """The server and its Service, with the fault if it is theirs."""
    own = dict(facts(seed))
    own["subdomain"] = f"{own['service']}s" if wrong == SUBDOMAIN else own["service"]
    if wrong == PORT_NAME:
        own["port_name"] = _WRONG_PORT_NAMES[str(own["port_name"])]
    return files.manifest(PACKAGE, "named", **own)


def _customer(wrong: str, server: str) -> Object:
    """The client, with the fault if it is its own."""
    (deployment,) = files.manifest(PACKAGE, "customer")
    pod = deployment["spec"]["template"]["spec"]
    if wrong == POLICY:
        pod["dnsPolicy"] = "Default"
    if wrong == SEARCH:
        pod.update(dnsPolicy="None", dnsConfig={"nameservers": [server], "searches": ["cluster.local"]})
    return deployment


def _untouched(lab: Lab, seed: Seed) -> bool:
    service = lab.find_one(f"service/{facts(seed)['service']}")
    if service is None:
        return False
    *_, given = _objects(seed, fault(seed))
    spec, wanted = service["spec"], given["spec"]
    ports = [(port.get("name"), port["port"]) for port in spec.get("ports") or ()]
    same = spec.get("selector") == wanted["selector"] and not spec.get("publishNotReadyAddresses")
    deployments = (lab.get(f"deployment/{name}") for name in (facts(seed)["app"], CUSTOMER))
    return (
        same
        and ports == [(port["name"], port["port"]) for port in wanted["ports"]]
        and all(_as_given(live, given) for live, given in zip(deployments, _deployments(lab, seed), strict=True))
    )


def _deployments(lab: Lab, seed: Seed) -> tuple[Object, Object]:
    wrong = fault(seed)
    return _objects(seed, wrong)[0], _customer(wrong, name_server(lab))


def _as_given(live: Object, given: Object) -> bool:
    """Whether the fields that decide about names are the ones of the start."""
    fields = {"hostname": None, "subdomain": None, "dnsPolicy": "ClusterFirst", "dnsConfig": None}
    pods = [deployment["spec"]["template"]["spec"] for deployment in (live, given)]
    return all(pods[0].get(name, usual) == pods[1].get(name, usual) for name, usual in fields.items())


def _ask(lab: Lab, service: str, host: str, port_name: str) -> list[Lookup]:
    """Service, pod, port. Where the name server does not answer at all, the others are not asked for."""
    pods = [pod for pod in lab.pods(f"app={CUSTOMER}") if pod.ready and not pod.terminating]
    if not pods:
        raise LabError("The customer has no pod that runs; lab.pods() and lab.events() say more.")
    names = ((service, "A"), (f"{host}.{service}", "A"), (f"_{port_name}._tcp.{service}", "SRV"))
    found: list[Lookup] = []
    for name, type_ in names:
        silent = found and found[0].code == NO_ANSWER
        found.append(Lookup(name, type_, ()) if silent else lab.lookup(name, type_, pods[-1]))
    return found


def _words(found: Lookup) -> str:
    """The same wherever it is run: what is asked of the machine's own name servers may fail in several ways."""
    if not found:
        return "no such name"
    return ", ".join(map(_target, found.who) if found.type == "SRV" else found.who)


def _target(record: str) -> str:
    """``port 8080 of first.shop``; where the pod has no name of its own, its address stands in the place."""
    _, _, port, target = record.split()
    host, service, *_ = target.split(".")
    return f"port {port} of {'(its address)' if host.replace('-', '').isdigit() else host}.{service}"


TASK = Task(
    id="6.1",
    title="A customer that does not find its server",
    check=check,
    start=start,
    facts=facts,
    secrets=secrets,
    hints=(
        "Three questions, and finds(…) shows which of them fail. All three, two, or only the last: each points to "
        "another object.",
        "All three: the lab's own client, lab.lookup(…) without a source, finds the names. So the difference is "
        "between the two pods: resolvers(lab, […]). Two: look at hostname and subdomain in the server's pod template. "
        "Only the last: look at the names of the Service's ports.",
        "A pod that says nothing about DNS gets what most pods want. A subdomain has to be the Service's name, letter "
        "for letter. An SRV question names the port as the Service does.",
    ),
    solution="${repair}",
)
