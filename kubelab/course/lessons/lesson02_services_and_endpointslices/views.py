"""The two ends of the wire as tables: what Services ask for, and what pods offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from kubelab.lab.lab import Lab
from kubelab.lab.objects import MANAGED_BY

_LEFT = "text-align: left"
_NOBODYS = ("pod-template-hash", MANAGED_BY)
"""Labels that Kubernetes or kubelab set; no Service of a lesson asks for them."""


@dataclass(frozen=True)
class Table:
    """Rows of text under a head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (self.head, *self.rows))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th style='{_LEFT}'>{escape(cell)}</th>" for cell in self.head)
        body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def asks(lab: Lab) -> Table:
    """Each Service's selector, and where it sends whom."""
    rows = [
        (
            service["metadata"]["name"],
            labels(service["spec"].get("selector") or {}) or "none",
            ", ".join(str(port["port"]) for port in service["spec"].get("ports") or ()),
            ", ".join(str(port["targetPort"]) for port in service["spec"].get("ports") or ()),
        )
        for service in lab.find("services")
    ]
    return Table(("Service", "selector", "port", "targetPort"), tuple(rows))


def offers(lab: Lab) -> Table:
    """The labels and the ports of each Deployment's pods."""
    rows = []
    for deployment in lab.find("deployments"):
        template = deployment["spec"]["template"]
        ports = [port for container in template["spec"]["containers"] for port in container.get("ports") or ()]
        rows.append(
            (
                deployment["metadata"]["name"],
                str(deployment["spec"].get("replicas", 1)),
                labels(template["metadata"]["labels"]),
                _words(ports),
            )
        )
    return Table(("Deployment", "pods", "their labels", "their port"), tuple(rows))


def labels(chosen: Mapping[str, str]) -> str:
    """``app=web, team=shop``."""
    return ", ".join(f"{key}={value}" for key, value in sorted(chosen.items()) if key not in _NOBODYS)


def _words(ports: Sequence[Mapping[str, object]]) -> str:
    return ", ".join(f"{port['containerPort']}, named {port['name']}" for port in ports)


def _cell(text: str) -> str:
    return f"<td style='{_LEFT}'><code style='background: none'>{escape(text)}</code></td>"
