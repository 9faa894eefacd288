"""doctor: what works on this machine, what does not, and what mends it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kubelab.cli.options import on_option

if TYPE_CHECKING:
    from kubelab.engine.doctor import Finding

MARKS = {"good": ("✔", "green"), "limited": ("○", "yellow"), "bad": ("✘", "red")}
HEADINGS = {
    "machine": "This machine",
    "packets": "How packets can travel, best first",
    "tools": "Tools",
    "images": "Images for pods (nothing is pulled: these are stand-ins)",
    "kind": "For a cluster on kind",
    "existing": "For a namespace of a cluster that is there",
}


@click.command(short_help="Say what works on this machine, and what mends the rest.")
@on_option
def doctor(on: str | None) -> None:
    """Say what works on this machine and what mends the rest (exit status 1: no cluster can run)."""
    from kubelab.engine.doctor import apt_command, can_run, examine

    if on == "kind":
        from kubelab.clusters.kind import preflight

        findings, what = preflight.report(), "A cluster on kind"
    elif on == "existing":
        from kubelab.clusters.existing.findings import report

        findings, what = report(), "The lessons"
    else:
        findings, what = examine(), "The engine"
    _show(findings, apt_command(findings), what)
    sys.exit(0 if can_run(findings) else 1)


def _show(findings: list[Finding], apt: str, what: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kubelab.engine.doctor import can_run

    console = Console(highlight=False)
    areas = {finding.area for finding in findings}
    for area, heading in HEADINGS.items():
        if area not in areas:
            continue
        console.print(Text(heading, style="bold"))
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for finding in findings:
            if finding.area == area:
                mark, colour = MARKS[finding.verdict]
                text = f"{finding.detail}\n{finding.mend}" if finding.mend else finding.detail
                table.add_row(Text(f"  {mark}", style=colour), finding.name, Text(text))
        console.print(table)
    if apt:
        console.print(Text("\nOne command gets what is missing:", style="bold"))
        console.print(Text(f"  {apt}"), soft_wrap=True)
    verdict = f"{what} can run here." if can_run(findings) else f"{what} cannot run here; mend what is marked ✘."
    console.print(Text(f"\n{verdict}", style="bold"))
