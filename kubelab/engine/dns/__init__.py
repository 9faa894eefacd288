"""The cluster's name server (https://github.com/kubernetes/dns/blob/master/docs/specification.md, version 1.1.0).

``python -m kubelab.engine.dns`` runs it in a pod, where it is a client of the Kubernetes API like any other.
"""
