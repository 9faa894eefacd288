"""What the cluster's own parts keep: definitions and leases."""

from __future__ import annotations

from kubelab.engine.apiserver.resources.types import STATUS, ResourceType

CUSTOMRESOURCEDEFINITIONS = ResourceType(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "customresourcedefinition",
    "CustomResourceDefinition",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=(STATUS,),
    generation=True,
)
LEASES = ResourceType(
    "coordination.k8s.io",
    "v1",
    "leases",
    "lease",
    "Lease",
    "io.k8s.api.coordination.v1.Lease",
    create_on_update=True,
)
