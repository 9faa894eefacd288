"""What objects use of a namespace's quota.

Pure functions, for the API server that charges and for the controller that counts.
Source: https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""
