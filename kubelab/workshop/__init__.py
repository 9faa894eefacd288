"""A workshop on a cluster that is there: a namespace for every learner, and who of them is where."""

from __future__ import annotations

from kubelab.workshop.errors import WorkshopError

__all__ = ["WorkshopError"]
