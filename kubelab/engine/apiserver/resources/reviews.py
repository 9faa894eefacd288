"""Questions that are answered and not stored: ``authentication.k8s.io`` and ``authorization.k8s.io``."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import ResourceType

_AUTHZ = "io.k8s.api.authorization.v1."

SELF_SUBJECT_REVIEWS = ResourceType(
    "authentication.k8s.io",
    "v1",
    "selfsubjectreviews",
    "selfsubjectreview",
    "SelfSubjectReview",
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    namespaced=False,
    verbs=("create",),
)
TOKEN_REVIEWS = ResourceType(
    "authentication.k8s.io",
    "v1",
    "tokenreviews",
    "tokenreview",
    "TokenReview",
    "io.k8s.api.authentication.v1.TokenReview",
    namespaced=False,
    verbs=("create",),
)
SELF_SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "selfsubjectaccessreview",
    "SelfSubjectAccessReview",
    _AUTHZ + "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
SELF_SUBJECT_RULES_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "selfsubjectrulesreview",
    "SelfSubjectRulesReview",
    _AUTHZ + "SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)
LOCAL_SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "localsubjectaccessreviews",
    "localsubjectaccessreview",
    "LocalSubjectAccessReview",
    _AUTHZ + "LocalSubjectAccessReview",
    verbs=("create",),
)
SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io",
    "v1",
    "subjectaccessreviews",
    "subjectaccessreview",
    "SubjectAccessReview",
    _AUTHZ + "SubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
