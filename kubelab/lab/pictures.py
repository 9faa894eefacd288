"""Matplotlib pictures of traffic and life-lines. Every colour has a shape or a label beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubelab.lab import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from kubelab.lab.lifelines import LifeLine, PodLifelines
    from kubelab.lab.traffic import Traffic


def draw_traffic(traffic: Traffic) -> Figure:
    """Left: who answered how often, with the share that even luck would give. Right: how long the answers took."""
    import matplotlib.pyplot as plt

    figure, (shares, delays) = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=(3, 2), layout="constrained")
    _draw_shares(shares, traffic)
    _draw_latencies(delays, traffic)
    figure.suptitle(f"{traffic.target}: {traffic.sentence}", fontsize=11)
    plt.close(figure)
    return figure


def draw_lifelines(lifelines: PodLifelines) -> Figure:
    """One bar a pod, hollow while not ready, hatched while on its way out; below them each client's requests."""
    import matplotlib.pyplot as plt

    lines, clients = lifelines.lines, sorted(lifelines.traffic)
    rows = len(lines) + len(clients)
    figure, axes = plt.subplots(figsize=(9, 0.9 + 0.38 * rows), layout="constrained")
    for row, line in enumerate(lines):
        _draw_life(axes, row, line, lifelines.seconds)
    for offset, client in enumerate(clients):
        _draw_client(axes, len(lines) + offset, lifelines.traffic[client], lifelines.offsets[client])
    labels = [f"{line.pod.alias}  {line.pod.ip}" for line in lines] + [f"client: {client}" for client in clients]
    axes.set_yticks(range(rows), labels)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_xlim(0, max(lifelines.seconds, 0.1))
    axes.set_xlabel("seconds")
    axes.set_title(lifelines.addresses, loc="left", fontsize=11)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    _lifelines_legend(axes, bool(clients), lifelines.restarts > 0)
    plt.close(figure)
    return figure


def _draw_shares(axes: Axes, traffic: Traffic) -> None:
    bars = [
        (pod, count, palette.nth(palette.COLOURS, index), palette.nth(palette.HATCHES, index))
        for index, (pod, count) in enumerate(traffic.counts.items())
    ]
    bars += [(kind, count, palette.BAD, "xx") for kind, count in traffic.errors.items()]
    for row, (_, count, colour, hatch) in enumerate(bars):
        axes.barh(row, count, color=colour, hatch=hatch, edgecolor="white", height=0.7)
        axes.annotate(f" {count}", (count, row), va="center")
    axes.set_yticks(range(len(bars)), [label for label, *_ in bars])
    axes.invert_yaxis()
    if len(traffic.counts) > 1:
        even = sum(traffic.counts.values()) / len(traffic.counts)
        axes.axvline(even, color="black", linestyle=":", linewidth=1)
        axes.annotate(
            "even share", (even, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=8
        )
    axes.margins(x=0.12)
    axes.set_xlabel("requests answered")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_latencies(axes: Axes, traffic: Traffic) -> None:
    milliseconds = [seconds * 1000 for seconds in traffic.latencies]
    axes.set_xlabel("milliseconds")
    axes.set_ylabel("share answered")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(0, 1.02)
    if milliseconds:
        axes.ecdf(milliseconds, color=palette.COLOURS[0], linewidth=2)
        axes.set_xlim(left=0)
    else:
        axes.annotate("no answers", (0.5, 0.5), xycoords="axes fraction", ha="center")


def _draw_life(axes: Axes, row: int, line: LifeLine, end: float) -> None:
    colour = palette.nth(palette.COLOURS, row)
    ready = line.ready if line.ready is not None else line.last_seen
    leaving = line.terminating if line.terminating is not None else line.last_seen
    phases: tuple[tuple[float, float, dict[str, Any]], ...] = (
        (line.first_seen, ready, {"facecolor": "none", "edgecolor": colour, "linestyle": ":"}),
        (ready, leaving, {"facecolor": colour, "edgecolor": colour}),
        (leaving, line.last_seen, {"facecolor": "none", "edgecolor": colour, "hatch": "////"}),
    )
    for start, stop, style in phases:
        if stop > start:
            axes.barh(row, stop - start, left=start, height=0.6, **style)
    if line.terminating is not None and line.last_seen < end:
        axes.plot(line.last_seen, row, marker="X", color=palette.BAD, markersize=8, markeredgecolor="white")
    for moment in line.restarted:
        axes.plot(moment, row, marker="o", color="white", markeredgecolor="black", markersize=8)


def _draw_client(axes: Axes, row: int, traffic: Traffic, offset: float) -> None:
    good = [offset + answer.at for answer in traffic.answers if answer.ok]
    bad = [offset + answer.at for answer in traffic.answers if not answer.ok]
    axes.plot(good, [row] * len(good), linestyle="", marker="|", markersize=9, color=palette.GOOD)
    axes.plot(bad, [row] * len(bad), linestyle="", marker="x", markersize=6, color=palette.BAD)


def _lifelines_legend(axes: Axes, clients: bool, restarts: bool) -> None:
    from matplotlib.artist import Artist
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grey = palette.QUIET
    handles: list[Artist] = [
        Patch(facecolor="none", edgecolor=grey, linestyle=":", label="not ready yet"),
        Patch(facecolor=grey, edgecolor=grey, label="ready"),
        Patch(facecolor="none", edgecolor=grey, hatch="////", label="terminating"),
        Line2D([], [], linestyle="", marker="X", color=palette.BAD, label="gone"),
    ]
    if restarts:
        handles.append(
            Line2D(
                [], [], linestyle="", marker="o", color="white", markeredgecolor="black", label="container restarted"
            )
        )
    if clients:
        handles.append(Line2D([], [], linestyle="", marker="|", color=palette.GOOD, label="answered"))
        handles.append(Line2D([], [], linestyle="", marker="x", color=palette.BAD, label="failed"))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
