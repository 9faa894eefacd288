"""What goes wrong with a workshop, said in one sentence."""

from __future__ import annotations

from kubelab.lab.errors import LabError


class WorkshopError(LabError):
    """The message says what happened and what to do next."""
