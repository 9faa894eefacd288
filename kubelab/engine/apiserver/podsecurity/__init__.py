"""The admission plugin PodSecurity: a namespace's labels say how much its pods may ask of a node.

Source: https://kubernetes.io/docs/concepts/security/pod-security-admission/ (Kubernetes 1.36)
"""
