"""kubelab: see Kubernetes Services and Ingress happen.

The learner's names are here and nothing else. They are loaded when first used, so that importing a part of
the engine does not load the course.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from kubelab.course import check, connect, hint, predict, progress, solution

_HOMES = {
    "connect": "kubelab.course",
    "predict": "kubelab.course",
    "check": "kubelab.course",
    "hint": "kubelab.course",
    "solution": "kubelab.course",
    "progress": "kubelab.course",
}

__all__ = ["check", "connect", "hint", "predict", "progress", "solution"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kubelab' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
