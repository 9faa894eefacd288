"""Custom resources: what CustomResourceDefinitions add to the API.

A definition becomes resource types like the built-in ones (`version`), whose behaviour (`kind`) is read from its
schema: what stays of a body (`pruning`), what is filled in (`defaults`), what is refused (`checking`, `rules`).
Source: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""
