"""What is remembered of a cluster that is not ours."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from kubelab.engine.state import StateDir

FILE = "existing.json"


@dataclass
class Record:
    """One namespace of one cluster."""

    kubeconfigs: list[str]
    """The user's files, which are read anew with every `up`: tokens in them are renewed by others."""
    context: str
    namespace: str
    trusted: bool = False
    """Somebody said that this context is meant, whatever it looks like."""
    image: str = ""
    """What stands in for the lessons' image."""
    made_namespace: bool = False
    lacks: dict[str, str] = field(default_factory=dict)
    """Capability → why it is not there."""
    nodes: list[str] = field(default_factory=list)
    host: str = ""
    """Below which the lessons' hosts are."""
    ingress_class: str = ""
    """What stands in for the lessons' IngressClass; empty: nothing serves them."""

    def write(self, state: StateDir) -> None:
        """Keep it. Raises `StateError`."""
        state.write(state.root / FILE, json.dumps(asdict(self), indent=2))
        state.write(state.provider, "existing\n")


def read(state: StateDir) -> Record | None:
    """What was kept; None when there is nothing."""
    try:
        return Record(**json.loads((state.root / FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
