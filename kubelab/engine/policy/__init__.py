"""NetworkPolicies: objects in, rules on every node out. A client of the Kubernetes API like any other part."""

from kubelab.engine.policy.policies import NetworkPolicies

__all__ = ["NetworkPolicies"]
