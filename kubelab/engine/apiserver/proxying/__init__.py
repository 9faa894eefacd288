"""The proxy subresources: HTTP by way of the API server to a Service's pod, to a pod, to a node.

https://kubernetes.io/docs/tasks/access-application-cluster/access-cluster-services/
"""

from kubelab.engine.apiserver.proxying.proxy import Proxy

__all__ = ["Proxy"]
