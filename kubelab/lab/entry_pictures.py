"""The heat map of entries: one row a node that clients come in by, one column a pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kubelab.lab.entries import Entries, Entry

SAW, HEALTH = 1.5, 0.9
"""The widths of the columns of words; a pod's is 1."""


def draw_entries(entries: Entries) -> Figure:
    """Percent of what came in by each node; below, each pod's part of all answers."""
    import matplotlib.pyplot as plt

    pods = list(entries.homes)
    rows = len(entries.nodes)
    figure, axes = plt.subplots(figsize=(9, 1.6 + 0.55 * rows), layout="constrained")
    for row, entry in enumerate(entries.nodes):
        _draw_row(axes, row, entry, pods)
    axes.axhline(rows - 0.45, color="black", linewidth=1)
    for column, pod in enumerate(pods):
        total = f"{entries.percent(pod)} %"
        axes.annotate(total, (column + 0.5, rows), ha="center", va="center", fontweight="bold")
    right = len(pods)
    heads = [f"{pod}\non {entries.homes[pod]}" for pod in pods]
    places = [column + 0.5 for column in range(right)]
    axes.set_xticks([*places, right + SAW / 2, right + SAW + HEALTH / 2], [*heads, "the servers saw", "health check"])
    axes.xaxis.tick_top()
    axes.set_yticks(range(rows + 1), [*(f"in by {entry.node}" for entry in entries.nodes), "of all answers"])
    axes.set_xlim(0, right + SAW + HEALTH)
    axes.set_ylim(rows + 0.45, -0.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    plt.close(figure)
    return figure


def _draw_row(axes: Axes, row: int, entry: Entry, pods: list[str]) -> None:
    from matplotlib.patches import Rectangle

    counts, sent = entry.traffic.counts, len(entry.traffic.answers)
    if not counts:
        box = Rectangle((0.03, row - 0.42), len(pods) - 0.06, 0.84, facecolor="none", edgecolor=palette.BAD, hatch="//")
        axes.add_patch(box)
        words = f" ✖ nobody: {' and '.join(entry.traffic.errors)} "
        plate = {"facecolor": "white", "edgecolor": "none"}
        axes.annotate(words, (len(pods) / 2, row), ha="center", va="center", bbox=plate)
    for column, pod in enumerate(pods if counts else ()):
        part = counts.get(pod, 0) / sent
        box = Rectangle((column + 0.03, row - 0.42), 0.94, 0.84, facecolor=palette.COLOURS[0], alpha=0.08 + 0.72 * part)
        axes.add_patch(box)
        colour = "white" if part > 0.6 else "black"
        axes.annotate(f"{100 * part:.0f} %", (column + 0.5, row), ha="center", va="center", color=colour)
    _, _, saw, health = entry.cells
    axes.annotate(saw, (len(pods) + SAW / 2, row), ha="center", va="center")
    axes.annotate(health, (len(pods) + SAW + HEALTH / 2, row), ha="center", va="center")
