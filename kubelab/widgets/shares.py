"""Who answered how often, as bars in HTML: a shape, a name and a number beside every colour."""

from __future__ import annotations

import threading
from collections import Counter
from html import escape

from kubelab.lab import palette
from kubelab.lab.pods import natural
from kubelab.lab.traffic import Answer


class Tally:
    """Counts answers as they come in, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pods: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()

    def hear(self, answer: Answer) -> None:
        """Count one answer."""
        with self._lock:
            if answer.ok:
                self._pods[answer.pod or "unknown"] += 1
            else:
                self._errors[answer.error or f"code {answer.code}"] += 1

    @property
    def rows(self) -> list[tuple[str, int, bool]]:
        """(pod or kind of error, count, whether it was answered): pods first, in their order."""
        with self._lock:
            pods = [(pod, self._pods[pod], True) for pod in sorted(self._pods, key=natural)]
            return pods + [(kind, self._errors[kind], False) for kind in sorted(self._errors)]

    @property
    def total(self) -> int:
        """All requests so far."""
        return sum(count for _, count, _ in self.rows)

    @property
    def sentence(self) -> str:
        """``120 requests, 118 answered by 3 pods, 2 failed``."""
        rows = self.rows
        answered = sum(count for _, count, good in rows if good)
        failed = sum(count for _, count, good in rows if not good)
        pods = sum(good for *_, good in rows)
        by_whom = f" by {pods} pod{'s' * (pods != 1)}" if pods else ""
        return f"{answered + failed} requests, {answered} answered{by_whom}, {failed} failed"


def shares_html(tally: Tally) -> str:
    """A table with one bar a pod and one for each kind of error."""
    rows, total = tally.rows, tally.total
    if not rows:
        return "<div style='opacity: 0.7'>No requests yet.</div>"
    lines = "".join(_row(index, *row, total) for index, row in enumerate(rows))
    return f"<table style='width: 100%; max-width: 46em; border-collapse: collapse'><tbody>{lines}</tbody></table>"


def _row(index: int, label: str, count: int, good: bool, total: int) -> str:
    colour = palette.nth(palette.COLOURS, index) if good else palette.BAD
    symbol = palette.nth(palette.SYMBOLS, index) if good else "✖"
    share = 100 * count / total
    bar = f"background: {colour}; height: 0.9em; width: {share:.1f}%; min-width: 1px"
    return (
        f"<tr><th scope='row' style='text-align: left; white-space: nowrap; padding-right: 1em; font-weight: normal'>"
        f"<span aria-hidden='true' style='color: {colour}'>{symbol}</span> {escape(label)}</th>"
        f"<td style='width: 70%'><div style='{bar}'></div></td>"
        f"<td style='text-align: right; padding-left: 1em; white-space: nowrap'>{count} ({share:.0f}%)</td></tr>"
    )
