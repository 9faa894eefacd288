"""Real HTTP and HTTPS requests by host name, to where Ingress traffic enters, and who answered them."""

from kubelab.lab.requests.matrix import Cell, Matrix, Place, grid, listed, measure, predictions
from kubelab.lab.requests.replies import Reply, Requests
from kubelab.lab.requests.sending import Asked, send

__all__ = [
    "Asked", "Cell", "Matrix", "Place", "Reply", "Requests", "grid", "listed", "measure", "predictions", "send",
]  # fmt: skip
