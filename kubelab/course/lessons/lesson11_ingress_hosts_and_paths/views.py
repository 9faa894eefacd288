"""What there is to see besides the answer: how a request arrives, what is said of an Ingress, what Services offer."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable

from kubelab.course.tables import Table
from kubelab.lab import kinds
from kubelab.lab.addressbook import OUTSIDE, AddressBook, address_book
from kubelab.lab.api import Object
from kubelab.lab.entrance import CONTROLLER, CONTROLLER_NAMESPACE
from kubelab.lab.errors import LabError, Lacking
from kubelab.lab.lab import Lab
from kubelab.lab.requests import Reply
from kubelab.routing.model import ObjectName
from kubelab.routing.model import Table as Routing

THE_PROXY, THE_CLIENT = "the ingress controller's pod", "the client outside"
REPORTED_SECONDS = 5.0
"""How long the controller's reports may take: an address and Events come a moment after what is served."""
_INGRESS = kinds.named("ingress")


def arrived(lab: Lab, reply: Reply) -> Table:
    """A request as it arrived at the pod that answered. Raises `LabError` when no pod did."""
    if not reply.saw:
        raise LabError(f"No pod of the lesson has answered {reply.url}, so nobody can say how it arrived: {reply!r}.")
    if "outside client" not in lab.cluster.capabilities:
        raise Lacking(
            "who opened the connection is not told here: the client outside and the ingress controller are places "
            "that cannot be seen from one namespace."
        )
    book, headers = address_book(lab), reply.saw["headers"]
    beside = _around(lab)
    told = headers.get("x-forwarded-for", "")
    rows = (
        ("Host header", reply.saw["host"]),
        ("path", reply.saw["path"]),
        ("who opened the connection", who(book, beside, reply.saw["peer"])),
        ("X-Forwarded-For", ", ".join(who(book, beside, each.strip()) for each in told.split(",")) if told else "none"),
        ("X-Forwarded-Host", headers.get("x-forwarded-host", "none")),
        ("X-Forwarded-Proto", headers.get("x-forwarded-proto", "none")),
    )
    return Table(("what the server reads", ""), rows)


def who(book: AddressBook, beside: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network], address: str) -> str:
    """Whose an address is; ``beside``: the networks of nodes and client. One of nobody's stays as it is."""
    name = book.name(address)
    if name.startswith(f"{CONTROLLER_NAMESPACE}/{CONTROLLER}"):
        return THE_PROXY
    if name == OUTSIDE:
        return THE_CLIENT if any(ipaddress.ip_address(address) in each for each in beside) else address
    return name


def _around(lab: Lab) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The nodes' own networks, where the client outside stands: a /16, here as in kind."""
    addresses = [each for node in lab.find("nodes") for each in (node.get("status") or {}).get("addresses") or ()]
    inside = [each["address"] for each in addresses if each["type"] == "InternalIP"]
    return [ipaddress.ip_network(f"{each}/16", strict=False) for each in inside]


def reports(lab: Lab, *names: str) -> Table:
    """What is to be read of these Ingresses (of all, when left out): class, address, and the Events about them."""
    deadline = time.monotonic() + REPORTED_SECONDS
    while not _all_told(lab) and time.monotonic() < deadline:
        time.sleep(0.1)
    found = [each for each in lab.find("ingresses") if not names or each["metadata"]["name"] in names]
    events = _events(lab)
    rows = (
        (
            each["metadata"]["name"],
            each["spec"].get("ingressClassName") or "none",
            _address(each),
            "; ".join(_words(event) for event in events.get(each["metadata"]["uid"], ())) or "nothing",
        )
        for each in found
    )
    return Table(("Ingress", "class", "address", "events"), tuple(rows))


def services(lab: Lab) -> Table:
    """The Services of the namespace, with their ports by number and by name."""
    rows = (
        (service["metadata"]["name"], str(port["port"]), port.get("name") or "none")
        for service in lab.find("services")
        for port in service["spec"].get("ports") or ()
    )
    return Table(("Service", "port", "its name"), tuple(rows))


def _words(event: Object) -> str:
    """The controller's address is the same in every good report, and another on every cluster."""
    return f"{event['reason']}: {event['message']}" if event.get("type") == "Warning" else str(event["reason"])


def _events(lab: Lab) -> dict[str, list[Object]]:
    """UID → the Events about it, each only once."""
    found: dict[str, list[Object]] = {}
    for event in lab.find("events"):
        its = found.setdefault(event["involvedObject"].get("uid", ""), [])
        if _words(event) not in map(_words, its):
            its.append(event)
    return {uid: sorted(its, key=_words, reverse=True) for uid, its in found.items()}


def _all_told(lab: Lab) -> bool:
    routing, events = lab.routing(), _events(lab)
    return all(_told(lab, each, routing, events.get(each["metadata"]["uid"], [])) for each in lab.find("ingresses"))


def _told(lab: Lab, ingress: Object, routing: Routing, events: list[Object]) -> bool:
    """Whether the status and the Events of an Ingress say what the objects lead one to expect."""
    name = ObjectName("Ingress", lab.namespace, ingress["metadata"]["name"])
    if (_address(ingress) != "none") != (name in routing.served):
        return False
    expected = {each.reason for each in routing.problems if each.origin.object == name}
    said = {str(event["reason"]) for event in events}
    return expected <= said and (name not in routing.served or bool(said - expected))


def _address(ingress: Object) -> str:
    listed = ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return "the ingress controller's" if listed else "none"
