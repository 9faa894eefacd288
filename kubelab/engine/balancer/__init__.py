"""The machine in front of the cluster that carries what comes for Services of type LoadBalancer to healthy nodes."""

from kubelab.engine.balancer.balancer import LoadBalancer

__all__ = ["LoadBalancer"]
