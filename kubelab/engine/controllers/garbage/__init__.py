"""The garbage collector: what has lost its owners goes."""

from kubelab.engine.controllers.garbage.controller import GarbageCollector

__all__ = ["GarbageCollector"]
