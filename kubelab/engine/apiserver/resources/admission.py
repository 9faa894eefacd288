"""Policies that judge every write: ``admissionregistration.k8s.io``."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import STATUS, ResourceType

ADMISSION_GROUP = "admissionregistration.k8s.io"
_ADMISSION = "io.k8s.api.admissionregistration.v1."

VALIDATINGADMISSIONPOLICIES = ResourceType(
    ADMISSION_GROUP,
    "v1",
    "validatingadmissionpolicies",
    "validatingadmissionpolicy",
    "ValidatingAdmissionPolicy",
    _ADMISSION + "ValidatingAdmissionPolicy",
    namespaced=False,
    categories=("api-extensions",),
    subresources=(STATUS,),
    generation=True,
)
VALIDATINGADMISSIONPOLICYBINDINGS = ResourceType(
    ADMISSION_GROUP,
    "v1",
    "validatingadmissionpolicybindings",
    "validatingadmissionpolicybinding",
    "ValidatingAdmissionPolicyBinding",
    _ADMISSION + "ValidatingAdmissionPolicyBinding",
    namespaced=False,
    categories=("api-extensions",),
    generation=True,
)
