"""The scheduler: gives every pod a node."""

from kubelab.engine.controllers.scheduler.controller import Scheduler

__all__ = ["Scheduler"]
