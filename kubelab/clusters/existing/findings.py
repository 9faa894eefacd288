"""What would be in the way of working on somebody's cluster, for ``kubelab doctor --on existing``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from kubelab.clusters.base import ClusterError
from kubelab.clusters.existing import examination, kubeconfig
from kubelab.clusters.existing.access import Access
from kubelab.clusters.existing.cluster import Asked
from kubelab.clusters.existing.ingress import COURSE_CLASS, Found
from kubelab.engine.doctor import Finding

AREA = "existing"


def report(asked: Asked | None = None) -> list[Finding]:
    """Look at everything, in the order in which `up` needs it; what cannot be looked at any more is left out."""
    return list(_found((asked or Asked()).filled()))


def _found(asked: Asked) -> Iterator[Finding]:
    paths = kubeconfig.usual_paths()
    try:
        context = kubeconfig.read_context(paths, asked.context)
        namespace = asked.namespace or context.namespace or "default"
        examination.refuse_names_that_cannot_be(namespace)
    except ClusterError as error:
        yield _bad("kubeconfig", error)
        return
    yield Finding(AREA, "kubeconfig", "good", f"context {context.name}, namespace {namespace}")
    with tempfile.TemporaryDirectory(prefix="kubelab-doctor-") as folder:
        file = Path(folder, "kubeconfig")
        file.touch(mode=0o600)
        file.write_text(context.text(namespace))
        try:
            access = Access(file)
            found = examination.examine(access, namespace, asked.image, asked.ingress_class)
        except ClusterError as error:
            yield _bad("cluster", error)
            return
        yield Finding(AREA, "cluster", "good", f"Kubernetes {found.version} at {access.server}")
        try:
            found.require(namespace)
        except ClusterError as error:
            yield _bad("namespace", error)
            return
        yield Finding(
            AREA, "namespace", "good", f"the lessons' pods, Services and Deployments are let into {namespace}"
        )
        try:
            examination.refuse_what_looks_dear(access, context, namespace, found, "kubelab up --on existing")
        except ClusterError as error:
            yield _bad("caution", error)
    if "ingress" not in found.lacks:
        yield Finding(AREA, "ingress", "good", _words(found.served_by, found.host))
    for what, why in found.lacks.items():
        yield Finding(AREA, what, "limited", f"{why}; lessons that need it say so, and skip it")


def _words(found: Found, host: str) -> str:
    if not found.seen:
        return f"hosts below {host}; whether anybody serves them, `kubelab up --on existing` tries"
    other = "" if found.ingress_class == COURSE_CLASS else ", whose controller may answer otherwise than the course's"
    return f"hosts below {host}, by the IngressClass {found.ingress_class}{other}"


def _bad(name: str, error: ClusterError) -> Finding:
    return Finding(AREA, name, "bad", str(error))  # the sentence has its remedy in it
