"""Events: what Kubernetes' parts report of what they did."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from kubelab.lab.api import Object
from kubelab.lab.pods import Aliases


@dataclass(frozen=True)
class Event:
    """One report; ``about`` is ``pod/web-1``."""

    about: str
    type: str
    reason: str
    message: str

    def __repr__(self) -> str:
        return f"{self.about}: {self.reason}: {self.message}"


@dataclass(frozen=True)
class Events:
    """Events, oldest first."""

    lines: tuple[Event, ...]

    def __iter__(self) -> Iterator[Event]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.lines)) or "no events"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(line.about)}</td><td>{escape(line.reason)}</td>"
            f"<td style='text-align: left'>{escape(line.message)}</td></tr>"
            for line in self.lines
        )
        return (
            f"<table><thead><tr><th>about</th><th>reason</th><th>message</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def event_lines(events: Sequence[Object], about: str | None, aliases: Aliases) -> Events:
    """The events of all objects or of the one named ``about``, in the order of their last occurrence."""
    chosen = [event for event in events if about in (None, event["involvedObject"].get("name"))]
    chosen.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return Events(tuple(_event(event, aliases) for event in chosen))


def _event(event: Object, aliases: Aliases) -> Event:
    kind, name = event["involvedObject"].get("kind", "").lower(), event["involvedObject"].get("name", "")
    shown = (aliases.of_name(name) or name) if kind == "pod" else name
    return Event(f"{kind}/{shown}", event.get("type", ""), event.get("reason", ""), event.get("message", ""))
