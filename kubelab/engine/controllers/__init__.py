"""The controllers and the scheduler. `run_controllers` runs them all."""

from kubelab.engine.controllers.manager import run_controllers

__all__ = ["run_controllers"]
