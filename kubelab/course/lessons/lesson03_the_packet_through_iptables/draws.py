"""Who is picked: the rules that draw, and how often each endpoint came."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import TYPE_CHECKING

from kubelab.course.lessons.lesson03_the_packet_through_iptables import nat_rules
from kubelab.lab import palette
from kubelab.lab.lab import Lab
from kubelab.lab.traffic import Fairness, Traffic

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Draws:
    """The rules of a Service's chain in their order: what each draws with."""

    probabilities: tuple[float, ...]

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """Place, written, reached, share."""
        left, found = Fraction(1), []
        for place, probability in enumerate(self.probabilities, start=1):
            own = Fraction(probability).limit_denominator(100)
            written = f"{probability:.5f}" if own < 1 else "no draw"
            found.append((f"rule {place}", written, str(left), f"{own} × {left} = {own * left}"))
            left *= 1 - own
        return found

    def __repr__(self) -> str:
        return "\n".join(
            f"{place}: {written}; reached by {left}; takes {share}" for place, written, left, share in self.rows
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col'>{word}</th>" for word in ("", "--probability", "comes this far", "takes"))
        rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def draws(lab: Lab, service: str, node: str) -> Draws:
    """The draws of a Service's chain on a node, read now."""
    return Draws(tuple(nat_rules.read(lab, service, node).probabilities.values()))


@dataclass(frozen=True)
class Picks:
    """New connections, and whom chance picked for each."""

    traffic: Traffic
    endpoints: int

    @property
    def fair(self) -> Fairness:
        """Pearson's test against 1/n each."""
        return self.traffic.fair(self.endpoints)

    def plot(self) -> Figure:
        """A picture: how often each endpoint was picked, beside 1/n."""
        import matplotlib.pyplot as plt

        counts = self.traffic.counts
        total = sum(counts.values())
        expected = total / self.endpoints
        spread = 2 * (expected * (1 - 1 / self.endpoints)) ** 0.5
        figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
        bars = axes.barh(list(counts), list(counts.values()), height=0.6, color=palette.COLOURS[: len(counts)])
        axes.bar_label(bars, label_type="center", color="white", fontweight="bold")
        axes.axvspan(expected - spread, expected + spread, color=palette.QUIET, alpha=0.35, linewidth=0)
        axes.axvline(expected, color="black", linestyle=":", linewidth=1.5)
        axes.set_title(
            f"{total:,} new connections; dotted: 1/{self.endpoints} of them; grey: 19 of 20 times by chance",
            fontsize=10,
        )
        axes.invert_yaxis()
        axes.set_xlabel("connections")
        axes.spines[["top", "right"]].set_visible(False)
        plt.close(figure)
        return figure

    def __repr__(self) -> str:
        return f"Picks({len(self.traffic.answers)} new connections to {self.endpoints} endpoints)"
