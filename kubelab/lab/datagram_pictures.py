"""The picture of UDP delivery: which pod answered which client's datagrams, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubelab.lab import palette
from kubelab.lab.datagrams import CLIENTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kubelab.lab.datagrams import Datagrams


def draw_datagrams(record: Datagrams) -> Figure:
    """One row for each client and pod, one for what was lost; a vertical line for each event."""
    import matplotlib.pyplot as plt

    pods = sorted({pod for kind in record.kinds for pod in record.pods(kind)})
    rows = [(kind, pod) for kind in record.kinds for pod in [*pods, ""]]
    figure, axes = plt.subplots(figsize=(9, 1.3 + 0.32 * len(rows)), layout="constrained")
    for row, (kind, pod) in enumerate(rows):
        moments = [each.at for each in record.of(kind) if each.pod == pod]
        colour = palette.nth(palette.COLOURS, pods.index(pod)) if pod else palette.BAD
        axes.plot(
            moments, [row] * len(moments), linestyle="", marker="|" if pod else "x", markersize=8 if pod else 6,
            color=colour,
        )  # fmt: skip
        if not pod and row + 1 < len(rows):
            axes.axhline(row + 0.5, color=palette.QUIET, linewidth=0.8)
    for name, at in record.events:
        axes.axvline(at, color="black", linestyle="--", linewidth=1)
        axes.annotate(f" {name}", (at, 1.0), xycoords=("data", "axes fraction"), va="bottom", fontsize=9)
    axes.set_yticks(range(len(rows)), [f"{CLIENTS[kind]} → {pod or 'no answer'}" for kind, pod in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("seconds")
    axes.set_xlim(left=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    plt.close(figure)
    return figure
