"""A Service's EndpointSlices as a lesson reads them: which ports, whose addresses, in which condition.

Pods go by their aliases; the addresses themselves are in ``Endpoint.address``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from kubelab.lab import kinds
from kubelab.lab.api import Object
from kubelab.lab.pods import natural

if TYPE_CHECKING:
    from kubelab.lab.lab import Lab

SERVICE_NAME = "kubernetes.io/service-name"
"""The label that ties a slice to its Service; nothing else does."""
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
CONTROLLER = "endpointslice-controller.k8s.io"
"""Who writes the slices of a Service that has a selector."""
UNSET = "<unset>"
_LEFT = "text-align: left"
_CONDITIONS = ("ready", "serving", "terminating")


class Port(NamedTuple):
    """A port of a slice: the number is the pods' own, the name is the Service's."""

    number: int | None
    name: str = ""
    protocol: str = "TCP"

    def __str__(self) -> str:
        number = "any" if self.number is None else str(self.number)
        return f"{self.name} {number}" if self.name else number


class Endpoint(NamedTuple):
    """One address of a slice (https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions)."""

    who: str
    """The pod's alias; the address itself when it is no pod's."""
    address: str
    ready: bool
    serving: bool
    terminating: bool
    node: str = ""

    @property
    def words(self) -> str:
        """``web-1 ready``, ``web-2 not ready``, ``web-3 terminating, still serving``."""
        if self.terminating:
            return f"{self.who} terminating, {'still serving' if self.serving else 'not serving'}"
        return f"{self.who} {'ready' if self.ready else 'not ready'}"


@dataclass(frozen=True)
class Slice:
    """One EndpointSlice: every port holds for every address."""

    ports: tuple[Port, ...]
    endpoints: tuple[Endpoint, ...]
    by_controller: bool = True
    """Written by the EndpointSlice controller; else by hand or by a program of somebody's."""

    @property
    def port_words(self) -> str:
        """As the PORTS column of kubectl: ``8080``, or ``<unset>``."""
        return ", ".join(map(str, self.ports)) or UNSET

    @property
    def sentence(self) -> str:
        """``port 8080 → web-1 ready, web-2 not ready``."""
        who = ", ".join(endpoint.words for endpoint in self.endpoints) or "no addresses"
        return f"port {self.port_words} → {who}{'' if self.by_controller else ' (written by hand)'}"


@dataclass(frozen=True)
class Endpoints:
    """All slices of one Service, those with ports first, by number."""

    service: str
    slices: tuple[Slice, ...]

    @property
    def ready(self) -> tuple[Endpoint, ...]:
        """The addresses that get new connections as long as one of them is there; those without a port do not."""
        return tuple(endpoint for piece in self.slices if piece.ports for endpoint in piece.endpoints if endpoint.ready)

    @property
    def all(self) -> tuple[Endpoint, ...]:
        """Every address, whatever its condition."""
        return tuple(endpoint for piece in self.slices for endpoint in piece.endpoints)

    @property
    def ports(self) -> tuple[Port, ...]:
        """The ports of all slices."""
        return tuple(sorted({port for piece in self.slices for port in piece.ports}, key=str))

    @property
    def sentence(self) -> str:
        """All slices in words."""
        return "; ".join(piece.sentence for piece in self.slices) or "no EndpointSlice"

    def __repr__(self) -> str:
        return f"Endpoints({self.service}: {self.sentence})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='{_LEFT}'>{word}</th>" for word in ("slice", "port", "address of", *_CONDITIONS))
        body = "".join(_rows(number, piece) for number, piece in enumerate(self.slices, 1))
        return (
            f"<div><b>EndpointSlices of {escape(self.service)}</b>{'' if self.slices else ': none'}</div>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def endpoints(lab: Lab, service: str) -> Endpoints:
    """The slices of a Service as they are now. Raises `ApiError` (404) when there is neither it nor a slice."""
    name = service.removeprefix("service/")
    found = lab.objects.find(kinds.ENDPOINTSLICE, f"{SERVICE_NAME}={name}")
    if not found:
        lab.get(f"service/{name}")
    aliases = {pod.ip: pod.alias for pod in lab.pods() if pod.ip}
    return Endpoints(name, tuple(sorted((_slice(piece, aliases) for piece in found), key=_order)))


def _slice(piece: Object, aliases: Mapping[str, str]) -> Slice:
    ports = tuple(
        Port(port.get("port"), port.get("name") or "", port.get("protocol") or "TCP")
        for port in piece.get("ports") or ()
    )
    listed = [_endpoint(each, aliases) for each in piece.get("endpoints") or ()]
    by_controller = (piece["metadata"].get("labels") or {}).get(MANAGED_BY) == CONTROLLER
    return Slice(ports, tuple(sorted(listed, key=lambda endpoint: natural(endpoint.who))), by_controller)


def _endpoint(each: Object, aliases: Mapping[str, str]) -> Endpoint:
    """A condition that is missing: ready and serving count as true, terminating as false (EndpointSlice v1)."""
    conditions = each.get("conditions") or {}
    address = each["addresses"][0]
    return Endpoint(
        who=aliases.get(address, address),
        address=address,
        ready=conditions.get("ready") is not False,
        serving=conditions.get("serving") is not False,
        terminating=conditions.get("terminating") is True,
        node=each.get("nodeName") or "",
    )


def _order(piece: Slice) -> tuple[bool, list[str], list[str]]:
    return not piece.ports, [str(port) for port in piece.ports], [endpoint.who for endpoint in piece.endpoints]


def _rows(number: int, piece: Slice) -> str:
    """One table row an address; a slice without any has one all the same: that is what there is to see."""
    first = [f"no. {number}" if piece.by_controller else f"no. {number}, by hand", piece.port_words]
    rows: Iterable[list[str]] = [
        [*first, endpoint.who, *(_mark(getattr(endpoint, name)) for name in _CONDITIONS)]
        for endpoint in piece.endpoints
    ] or [[*first, "nobody", "", "", ""]]
    return "".join(
        "<tr>" + "".join(f"<td style='{_LEFT}'>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )


def _mark(holds: bool) -> str:
    return "● true" if holds else "○ false"
