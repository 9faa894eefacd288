"""The admission plugin ValidatingAdmissionPolicy: what people's own rules, in CEL, say against a request.

Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/ (Kubernetes 1.36)
"""
