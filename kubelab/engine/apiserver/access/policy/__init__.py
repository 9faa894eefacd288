"""The rights that a cluster begins with, and how they come into the store."""

from kubelab.engine.apiserver.access.policy.bootstrap import reconcile

__all__ = ["reconcile"]
