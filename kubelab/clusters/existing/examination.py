"""Whether a namespace of a cluster can be worked in: looked at before anything is made there."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing import caution, ingress, labelled, rights, trial
from kubelab.clusters.existing.access import Access, Object, Refused
from kubelab.clusters.existing.kubeconfig import Context

WORKSHOP_LABEL = "kubelab.dev/workshop"
"""On the namespaces that `kubelab workshop` makes for its learners."""


@dataclass(frozen=True)
class Examination:
    """What was found."""

    version: str
    rights: rights.Rights
    labels: dict[str, str] = field(default_factory=dict)
    """The namespace's."""
    is_there: bool = True
    refused_pod: str = ""
    """Why a pod like the lessons' would not be let in; empty: it would."""
    served_by: ingress.Found = field(default_factory=ingress.Found)
    host: str = ""
    """Below which the lessons' hosts are."""

    @property
    def lacks(self) -> dict[str, str]:
        """Capability → why it is not there."""
        without = {"ingress": self.served_by.lacks} if self.served_by.lacks else {}
        if self.served_by.ingress_class != ingress.COURSE_CLASS:
            without["gateway api"] = "the course's own controller, which serves its GatewayClass, is not there"
        return dict(sorted({**without, **self.rights.lacks}.items()))

    def require(self, namespace: str) -> None:
        """Raises `ClusterError` where no lesson can be."""
        if not self.is_there:
            raise ClusterError(
                f"There is no namespace {namespace!r} on this cluster: name one of yours with --namespace, or let "
                "`kubelab up --on existing --create-namespace` make it."
            )
        if self.rights.missing:
            raise ClusterError(
                f"Your rights in the namespace {namespace} do not suffice: you may not "
                f"{', '.join(self.rights.missing)}; ask for the role `edit` there, or name another --namespace."
            )
        if self.refused_pod:
            raise ClusterError(
                f"The namespace {namespace} does not let the lessons' pods in: {self.refused_pod.rstrip('.')}; ask "
                "whoever runs the cluster for a namespace that does."
            )


def examine(access: Access, namespace: str, image: str, ingress_class: str = "") -> Examination:
    """Ask all at once. ``ingress_class``: the one that is wanted. Raises `ClusterError`."""
    version, found, found_rights, refused, served_by = access.together(
        [
            lambda: access.ask("GET", "/version").get("gitVersion", "of an unknown version"),
            lambda: namespace_object(access, namespace),
            lambda: rights.find_out(access, namespace),
            lambda: trial.refusal(access, namespace, image),
            lambda: ingress.find(access, ingress_class),
        ]
    )
    labels = (found or {}).get("metadata", {}).get("labels") or {}
    host = ingress.own_host(access, namespace, found or {})
    return Examination(version, found_rights, labels, found is not None, refused, served_by, host)


def namespace_object(access: Access, namespace: str) -> Object | None:
    """The namespace; None when there is none; ``{}`` when one may not look. Raises `ClusterError`."""
    try:
        return access.ask("GET", f"/api/v1/namespaces/{namespace}")
    except Refused as error:
        if error.status == 404:
            return None
        if error.status != 403:
            raise
        return {}


def refuse_what_looks_dear(access: Access, context: Context, namespace: str, found: Examination, command: str) -> None:
    """Raises `ClusterError` where a course has probably no business, and says how to say that it has."""
    if WORKSHOP_LABEL in found.labels:
        return  # an instructor has made this namespace for the course
    anyway = f"if this is meant, say so: `{command} --yes`"
    if seen := caution.looks_like_production(context, namespace, found.labels):
        raise ClusterError(f"This looks like production ({seen}), and nothing was done; {anyway}.")
    if namespace == "default":
        raise ClusterError(
            f"The namespace is default, which is everybody's; name another with --namespace, or, {anyway}."
        )
    if others := caution.foreign(labelled.strangers(access, namespace)):
        raise ClusterError(
            f"In the namespace {namespace} is what kubelab did not make ({others}), and nothing was done; give the "
            f"course a --namespace of its own, or, {anyway} (it will be left alone, but lessons will see it)."
        )


def refuse_names_that_cannot_be(namespace: str) -> None:
    """Raises `ClusterError`."""
    if namespace.startswith("kube-"):
        raise ClusterError(f"The namespace {namespace} is the cluster's own; name another with --namespace.")
    if namespace in caution.AMBIGUOUS:
        raise ClusterError(
            f"A namespace called {namespace!r} cannot be told from a part of the DNS names in the lessons; name "
            "another with --namespace."
        )
