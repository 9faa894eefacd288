"""The controllers and the scheduler. `run_controllers` runs them all."""

from kubelab.engine.controllers.manager import Part, run_controllers

__all__ = ["Part", "run_controllers"]
