"""What an object's controllers say of it: its conditions, also those of a Gateway's listeners and a route's parents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

from kubelab.lab.api import Object

_LEFT = "text-align: left"
_HEADS = ("of", "type", "status", "reason", "message")


class Condition(NamedTuple):
    """One row. A condition of an older ``metadata.generation`` says nothing of the object as it is."""

    of: str
    """``gateway edge``, ``listener https``, ``parent edge``."""
    type: str
    status: str
    reason: str = ""
    message: str = ""
    outdated: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is True, and of the object as it is."""
        return self.status == "True" and not self.outdated

    @property
    def words(self) -> str:
        """``listener https: ResolvedRefs=False (InvalidCertificateRef: Secret default/shop does not exist)``."""
        why = ": ".join(filter(None, (self.reason, self.message)))
        status = f"{self.status}, of an older generation" if self.outdated else self.status
        return f"{self.of}: {self.type}={status}{f' ({why})' if why else ''}"


@dataclass(frozen=True)
class Conditions:
    """The conditions of one object: its own first, then those of its parts in their order, each by type."""

    about: str
    rows: tuple[Condition, ...]

    def __iter__(self) -> Iterator[Condition]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def of_type(self, type: str, of: str = "") -> tuple[Condition, ...]:
        """Those of a type (in any case), of all parts or of one."""
        return tuple(each for each in self.rows if each.type.lower() == type.lower() and of in ("", each.of))

    def holds(self, type: str, of: str = "") -> bool:
        """Whether there is such a condition, and it is True wherever it stands."""
        found = self.of_type(type, of)
        return bool(found) and all(each.holds for each in found)

    def __repr__(self) -> str:
        return "\n".join(each.words for each in self.rows) or f"{self.about}: no conditions"

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<div>{escape(self.about)}: no conditions</div>"
        head = "".join(f"<th style='{_LEFT}'>{word}</th>" for word in _HEADS)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(_rows(self.rows))}</tbody></table>"


def _rows(rows: Iterable[Condition]) -> Iterator[str]:
    last = ""
    for each in rows:
        status = f"{each.status} (outdated)" if each.outdated else each.status
        cells = (each.of if each.of != last else "", each.type, status, each.reason, each.message)
        yield f"<tr>{''.join(f'<td style={_LEFT!r}>{escape(cell)}</td>' for cell in cells)}</tr>"
        last = each.of


def conditions(about: str, obj: Object) -> Conditions:
    """The conditions of an object; ``about`` is what it is called: ``gateway/edge``."""
    status, generation = obj.get("status") or {}, (obj.get("metadata") or {}).get("generation", 0)
    parts = [(about.replace("/", " "), status)]
    parts += [(f"listener {each['name']}", each) for each in status.get("listeners") or ()]
    parts += [(_parent(each), each) for each in status.get("parents") or ()]
    return Conditions(about, tuple(row for of, part in parts for row in _of(of, part, generation)))


def _of(of: str, part: Object, generation: int) -> list[Condition]:
    return sorted(
        Condition(
            of,
            each["type"],
            each["status"],
            each.get("reason") or "",
            each.get("message") or "",
            each.get("observedGeneration", generation) < generation,
        )
        for each in part.get("conditions") or ()
    )


def _parent(parent: Object) -> str:
    """``parent edge``, ``parent infra/edge, listener https``."""
    ref = parent["parentRef"]
    name = f"{ref['namespace']}/{ref['name']}" if ref.get("namespace") else ref["name"]
    section = f", listener {ref['sectionName']}" if ref.get("sectionName") else ""
    port = f", port {ref['port']}" if ref.get("port") else ""
    return f"parent {name}{section}{port}"
