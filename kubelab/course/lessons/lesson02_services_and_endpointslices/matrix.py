"""The fault × signature matrix, measured on the learner's own cluster.

A fault is set up, a client asks, the name server is asked, the slice is read: four columns a fault. What was predicted
stands beside what was seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubelab.clusters.base import SKIPPED
from kubelab.course.lessons.lesson02_services_and_endpointslices import behaviour, faults
from kubelab.course.lessons.lesson02_services_and_endpointslices.faults import FAULTS
from kubelab.course.predictions import Prediction, predict
from kubelab.lab.endpoints import UNSET
from kubelab.lab.errors import LabError, Lacking
from kubelab.lab.lab import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REJECTED = (
    r'--comment "{namespace}/([a-z0-9-]+)(?::[^" ]*)? has no endpoints".* -j REJECT',
    r'comment "{namespace}/([a-z0-9-]+)(?::[^" ]*)?" : goto reject-chain',
)
"""How kube-proxy 1.36 writes it down: iptables mode, nftables mode."""


@dataclass(frozen=True)
class Signature:
    """What one fault looks like from outside."""

    fault: str
    predicted: str
    seen: str
    """What the client saw: one of `behaviour.SEEN`."""
    dns: str
    port: str
    """The ports of the slices, as kubectl shows them."""
    ready: str
    """``2 of 2``: the addresses that are ready, of all; how many of them are somebody else's."""
    as_healthy: tuple[bool, bool, bool, bool]
    """Whether client, DNS, port and addresses look as they do of a Service without a fault."""
    seconds: float
    """How long the first request took; another on every run, so it is drawn and never compared."""

    @property
    def agrees(self) -> bool:
        """Whether it came as predicted."""
        return self.predicted == self.seen


@dataclass(frozen=True)
class Matrix:
    """All signatures, in the order of `FAULTS`."""

    signatures: tuple[Signature, ...]
    note: str = ""
    """What could not be measured here, and why."""

    @property
    def sentence(self) -> str:
        """``4 of 10 came as you said``, and what is missing."""
        agreed = sum(signature.agrees for signature in self.signatures)
        return f"{agreed} of {len(self.signatures)} came as you said" + (f"; {self.note}" if self.note else "")

    def __repr__(self) -> str:
        from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix_views import text

        return text(self)

    def _repr_html_(self) -> str:
        from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix_views import html

        return html(self)

    def plot(self) -> Figure:
        """The matrix as a picture, with the time that a first request took."""
        from kubelab.course.lessons.lesson02_services_and_endpointslices.matrix_views import draw

        return draw(self)


@dataclass(frozen=True)
class Guesses:
    """What was written down."""

    predictions: tuple[Prediction, ...]

    def __repr__(self) -> str:
        return f"Guesses({len(self.predictions)} of {len(FAULTS)} rows are written down)"


def question(fault: str) -> str:
    """The id under which a row is predicted."""
    return f"2.{fault}"


def guess(guesses: Mapping[str, str]) -> Guesses:
    """Write down what the client will see, one guess a row. Raises `LabError` for one that cannot be."""
    unknown = next((fault for fault in guesses if fault not in FAULTS), None)
    if unknown is not None:
        raise LabError(f"{unknown!r} is no row of the matrix; there are {', '.join(FAULTS)}.")
    return Guesses(tuple(predict(question(fault), value) for fault, value in guesses.items()))


def measure(lab: Lab) -> Matrix:
    """Set up every fault and look at each as a client does. Raises `PredictFirst` when a row was not predicted."""
    with ExitStack() as predicted:
        for fault in FAULTS:
            predicted.enter_context(predict.first(question(fault)))
        far = faults.another_node(lab)
        faults.set_up(lab, far)
        rows = [fault for fault in FAULTS if far or fault != faults.ONLY_LOCAL]
        note = "" if far else f"{SKIPPED}{faults.ONLY_LOCAL} needs a second node, which this cluster lacks"
        return Matrix(tuple(_signature(lab, fault) for fault in rows), note)


def rejected(lab: Lab) -> tuple[str, ...]:
    """The Services whose clients are turned away by the rules of the client's own node. Raises `LabError`."""
    if "node shell" not in lab.cluster.capabilities:
        raise Lacking("Nobody can look at the nodes' rules on this cluster; the slices tell the same story.")
    client = lab.find_pod(lab.client_name())
    node = next((node for node in lab.cluster.nodes() if client and node.name == client.node), None)
    if node is None:
        raise LabError("The node of the lab's client is not there; run lab.reset() and begin again.")
    rules = node.run(["iptables-save"]).stdout
    if f"{lab.namespace}/" not in rules:
        rules = node.run(["nft", "list", "table", "ip", "kube-proxy"]).stdout
    patterns = (pattern.format(namespace=re.escape(lab.namespace)) for pattern in _REJECTED)
    return tuple(sorted({name for pattern in patterns for name in re.findall(pattern, rules)}))


def _signature(lab: Lab, fault: str) -> Signature:
    row = FAULTS[fault]
    name, namespace = (faults.HEALTHY, row.namespace) if row.namespace else (fault, lab.namespace)
    traffic = behaviour.ask(lab, f"{name}.{namespace}:80" if row.namespace else f"{name}:80")
    seen = behaviour.seen(traffic, behaviour.own_pods(lab, row.app))
    asked = lab.lookup(f"{name}.{namespace}.svc.cluster.local.")
    slices = ("no such Service", "–", False, False) if row.namespace else _slices(lab, name, row.app)
    return Signature(
        fault=fault,
        predicted=str(predict.compare(question(fault), seen).predicted),
        seen=seen,
        dns="an address" if asked.found else asked.sentence,
        port=slices[0],
        ready=slices[1],
        as_healthy=(seen == behaviour.ANSWERED, asked.found, *slices[2:]),
        seconds=traffic.answers[0].seconds,
    )


def _slices(lab: Lab, service: str, app: str) -> tuple[str, str, bool, bool]:
    """Ports and addresses in words, and whether each is as it should be."""
    found, own = lab.endpoints(service), lab.pods(f"app={app}").ips
    ready = sum(endpoint.ready for endpoint in found.all)
    strangers = sum(endpoint.address not in own for endpoint in found.all)
    words = f"{ready} of {len(found.all)}" if found.all else "no address"
    return (
        ", ".join(map(str, found.ports)) or UNSET,
        f"{words}, {strangers} a stranger" if strangers else words,
        [port.number for port in found.ports] == [faults.LISTENING],
        0 < ready == len(found.all) and not strangers,
    )
