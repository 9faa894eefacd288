"""The Deployment controller: rolls pods from one template to the next."""

from kubelab.engine.controllers.deployment.controller import DeploymentController

__all__ = ["DeploymentController"]
