"""Real HTTP and HTTPS requests by host name, to where Ingress traffic enters, and who answered them."""

from kubelab.lab.requests.replies import Reply, Requests
from kubelab.lab.requests.sending import Asked, send

__all__ = ["Asked", "Reply", "Requests", "send"]
