"""The table of routes → Envoy's configuration (xDS v3 as JSON). Pure.

https://www.envoyproxy.io/docs/envoy/v1.36.0/api-v3/api
"""

from kubelab.engine.ingress.compile.clusters import clusters
from kubelab.engine.ingress.compile.listeners import BindPort, KeyPair, listeners
from kubelab.engine.ingress.compile.routes import route_configurations

__all__ = ["BindPort", "KeyPair", "clusters", "listeners", "route_configurations"]
