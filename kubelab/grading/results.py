"""What a check found out, as a value: the same one for the notebook, for pytest and for a grade book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import Any


class Outcome(StrEnum):
    """The four things that a check can find. The last two are never held against the learner."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NOT_ATTEMPTED = "not attempted"
    CANNOT_CHECK = "cannot be checked now"


_LOOKS = {
    Outcome.CORRECT: ("✔", "#009E73"),
    Outcome.INCORRECT: ("✖", "#D55E00"),
    Outcome.NOT_ATTEMPTED: ("○", "#999999"),
    Outcome.CANNOT_CHECK: ("?", "#E69F00"),
}


@dataclass(frozen=True)
class Evidence:
    """One thing that was observed, in words that are the same on every run; the numbers go to `Result.measured`."""

    words: str
    good: bool

    def __str__(self) -> str:
        return f"{'✔' if self.good else '✖'} {self.words}"


@dataclass(frozen=True)
class Result:
    """The outcome of one check. True when it is correct, so that ``assert check("1.2")`` does what it says."""

    task: str
    outcome: Outcome
    reason: str
    """One sentence: why this outcome."""
    evidence: tuple[Evidence, ...] = ()
    advice: str = ""
    """What to look at next; never the answer."""
    measured: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The numbers behind the evidence, as they were this time."""

    def __bool__(self) -> bool:
        return self.outcome is Outcome.CORRECT

    def __repr__(self) -> str:
        lines = [f"{self.task} {self.outcome}: {self.reason}"]
        lines += [f"  {evidence}" for evidence in self.evidence]
        if self.advice:
            lines.append(f"  → {self.advice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        symbol, colour = _LOOKS[self.outcome]
        items = "".join(f"<li style='list-style: none'>{escape(str(evidence))}</li>" for evidence in self.evidence)
        advice = f"<div style='margin-top: 0.4em'>→ {escape(self.advice)}</div>" if self.advice else ""
        return (
            f"<div role='status' style='border-left: 4px solid {colour}; padding: 0.3em 0.8em; "
            "font-family: var(--jp-ui-font-family, sans-serif)'>"
            f"<b>{symbol} {escape(self.task)} {self.outcome}</b>: {escape(self.reason)}"
            f"<ul style='margin: 0.3em 0; padding-left: 0.5em'>{items}</ul>{advice}</div>"
        )
