"""A Service's own rules, in each mode of kube-proxy, to be read from chain to chain."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import anywidget
import traitlets

from kubelab.clusters.base import ClusterError
from kubelab.lab.errors import LabError
from kubelab.lab.lab import Lab
from kubelab.lab.service_rules import MODES, Block, Line, ModeRules, ServiceRules, service_rules, stable
from kubelab.widgets.assets import joined


class RuleExplorer(anywidget.AnyWidget):
    """``RuleExplorer(lab, "web")``: the Service's rules on a node, in iptables, nftables and IPVS mode.

    The mode that runs is read from the node; the others are compiled from the same objects, and that is said. `rules`
    holds what is shown; set ``node`` for another node, ``mode`` for another mode, and `read` again after a change.
    Raises `LabError`.
    """

    _esm = joined("dom.js", "rule_explorer.js")
    _css = joined("common.css", "rule_explorer.css")
    rules = traitlets.Dict(help="Modes with their chains and lines.").tag(sync=True)
    mode = traitlets.Enum(MODES, default_value="iptables", help="The mode that is shown.").tag(sync=True)
    node = traitlets.Unicode(help="The node that is read.").tag(sync=True)
    addresses = traitlets.Bool(False, help="Addresses as they are written, instead of names.").tag(sync=True)
    problem = traitlets.Unicode(help="Why the last reading failed.").tag(sync=True)
    reading = traitlets.Bool(False, help="Whether the node is being read.").tag(sync=True)
    asked = traitlets.Int(0, help="How often the browser has asked for a reading.").tag(sync=True)

    def __init__(self, lab: Lab, service: str, node: str | None = None) -> None:
        self._lab, self._service = lab, service
        self.found = service_rules(lab, service, node)
        super().__init__(rules=self._told(), node=self.found.node, mode=self.found.running or "iptables")
        self.observe(self._read_for_the_browser, names=["node", "asked"])

    def read(self) -> ServiceRules:
        """Read the node again, and show what it says now. Raises `LabError`."""
        self.found = service_rules(self._lab, self._service, self.node)
        with self.hold_sync():
            self.rules, self.problem = self._told(), ""
        return self.found

    def text(self) -> str:
        """All modes in characters, by names."""
        return self.found.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        made = super()._repr_mimebundle_(**options)
        bundle, metadata = made if isinstance(made, tuple) else (made or {}, {})
        return {**bundle, "text/plain": self.text(), "text/html": _html(self.found)}, metadata

    def _read_for_the_browser(self, _: Any) -> None:
        """The same, where nobody sees an exception: what goes wrong is shown in the widget."""
        self.reading = True
        try:
            self.read()
        except (LabError, ClusterError) as error:
            self.problem = str(error)
        finally:
            self.reading = False

    def _told(self) -> dict[str, Any]:
        return {
            "service": self.found.service,
            "node": self.found.node,
            "nodes": [node.name for node in self._lab.cluster.nodes()],
            "modes": [_mode(mode) for mode in self.found.modes],
        }


def _mode(mode: ModeRules) -> dict[str, Any]:
    blocks = [_block(block) for block in mode.blocks]
    return {"mode": mode.mode, "live": mode.live, "source": mode.source, "count": mode.count, "blocks": blocks}


def _block(block: Block) -> dict[str, Any]:
    lines = [
        {
            "text": line.text,
            "named": _with_probability(line),
            "words": line.words,
            "leads_to": line.leads_to,
            "share": line.share,
            "aside": line.aside,
        }
        for line in block.lines
    ]
    named = block.named.removeprefix(f"{block.table} ")
    return {
        "kind": block.kind,
        "name": block.name,
        "named": block.named,
        "short": named,
        "words": block.words,
        "others": block.others,
        "lines": lines,
    }


def _with_probability(line: Line) -> str:
    """The named rule with its own probability, which a text that is kept leaves out."""
    drawn = re.search(r"--probability [\d.]+", line.text)
    return line.named.replace("--probability …", drawn[0]) if drawn else line.named


def _html(found: ServiceRules) -> str:
    head = f"<p><b>Rules of Service {escape(found.service)}</b> on {escape(found.node)}</p>"
    return f"<div>{head}{''.join(_mode_html(mode) for mode in found.modes)}</div>"


def _mode_html(mode: ModeRules) -> str:
    blocks = "".join(_block_html(block) for block in mode.blocks)
    summary = f"<b>{mode.mode}{' (runs)' if mode.live else ''}</b>: {escape(mode.count)}"
    inside = f"<summary>{summary}</summary><p>{escape(mode.source)}</p>{blocks}"
    return f"<details{' open' if mode.live else ''}>{inside}</details>"


def _block_html(block: Block) -> str:
    lines = "".join(
        f"<li>{escape(line.words)}<br><code>{escape(line.named)}</code></li>" for line in stable(block.lines)
    )
    return (
        f"<p>{escape(block.kind)} <code>{escape(block.named)}</code>"
        f"{escape(f': {block.words}' if block.words else '')}</p><ul>{lines}</ul>"
    )
