"""One namespace of a cluster that is not ours. Keeps `kubelab.clusters.base.Cluster`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from kubelab.clusters.base import Capability, ClusterError, Finished, Lacking, Node, ProxyMode, Status
from kubelab.clusters.existing import examination, ingress, kubeconfig, labelled, record, rights, trial
from kubelab.clusters.existing.access import Access, NotAccepted
from kubelab.clusters.existing.record import Record
from kubelab.engine.state import StateError, state_of

CONTEXT_VARIABLE = "KUBELAB_CONTEXT"
NAMESPACE_VARIABLE = "KUBELAB_NAMESPACE"
IMAGE_VARIABLE = "KUBELAB_IMAGE"


@dataclass(frozen=True)
class Asked:
    """How a cluster that is not known yet is to be used; what is empty is taken from the environment, then as usual."""

    context: str = ""
    namespace: str = ""
    image: str = ""
    """The lessons' image (Python 3.12) in another registry."""
    create_namespace: bool = False
    trusted: bool = False
    """Also where it looks like production, or like others' workloads."""
    ingress_class: str = ""
    """Whose controller serves the lessons' Ingresses."""

    def filled(self) -> Asked:
        """With what the environment says of what is not said."""
        return Asked(
            self.context or os.environ.get(CONTEXT_VARIABLE, ""),
            self.namespace or os.environ.get(NAMESPACE_VARIABLE, ""),
            self.image or os.environ.get(IMAGE_VARIABLE, ""),
            self.create_namespace,
            self.trusted,
            self.ingress_class or os.environ.get(ingress.CLASS_VARIABLE, ""),
        )


class ExistingNode:
    """A node that can be named, and no more."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Node({self.name})"

    def run(self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 30) -> Finished:
        """Raises `Lacking`."""
        raise Lacking(f"`{argv[0]}` was not run: kubelab has no shell on the nodes of this cluster.")


class ExistingCluster:
    """One namespace, by the name that kubelab gives to it."""

    provider = "existing"

    def __init__(self, name: str, asked: Asked | None = None) -> None:
        """``asked`` is for `up`. Raises `ClusterError`."""
        self.name = name
        with _as_cluster_error():
            self.state = state_of(name)
        self._asked = (asked or Asked()).filled()

    def __repr__(self) -> str:
        return f"ExistingCluster({self.name})"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the one context; its usual namespace is the one that may be used."""
        return self.state.kubeconfig

    @property
    def namespace(self) -> str:
        """The one namespace. Raises `ClusterError` before `up`."""
        return self._known().namespace

    @property
    def image(self) -> str:
        """What stands in for the lessons' image; empty: nothing does."""
        return self._known().image

    @property
    def host(self) -> str:
        """Below which the lessons' hosts are: this namespace's own."""
        return self._known().host

    @property
    def ingress_class(self) -> str:
        """What stands in for the lessons' IngressClass; empty: nothing serves them."""
        return self._known().ingress_class

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What was not found to be lacking at the last `up`."""
        return frozenset(get_args(Capability)) - frozenset(self._known().lacks)  # type: ignore[arg-type]

    @property
    def lacks(self) -> Mapping[str, str]:
        """Capability → why it is not there."""
        return self._known().lacks

    def nodes(self) -> list[Node]:
        """The nodes, where they may be listed; else raises `Lacking`."""
        if not (known := self._known()).nodes:
            raise Lacking("you may not see the nodes of this cluster; an embedded one shows its own.")
        return [ExistingNode(name) for name in known.nodes]

    @property
    def outside(self) -> Node:
        """Raises `Lacking`."""
        raise Lacking("this cluster has no client outside; send from a pod instead (leave source out).")

    def client_for(self, address: str) -> Node | None:
        """See `Cluster.client_for`."""
        return None

    @property
    def loopback(self) -> dict[int, int]:
        """Nothing of this cluster's ingress is on this machine."""
        return {}

    def up(self) -> None:
        """Look whether the namespace can be worked in, and remember it. Asked anew each time: rights change."""
        with _as_cluster_error(), self.state.changing():
            known = record.read(self.state)
            try:
                self._attach(known)
            except BaseException:
                if record.read(self.state) is None:
                    self.state.clean()
                raise

    def try_a_pod(self) -> None:
        """Let one pod with the lessons' image run: an image may have to come from far. Raises `ClusterError`."""
        trial.run(self._access(), self.namespace, self.image)

    def down(self) -> None:
        """Delete what is labelled as kubelab's, and forget the cluster; quiet when there is none.

        Raises `ClusterError`; where nobody is let in any more (a workshop is over), the cluster is forgotten all the
        same.
        """
        if not self.state.root.exists():
            return
        with _as_cluster_error(), self.state.changing():
            if (known := record.read(self.state)) is not None and self.kubeconfig.exists():
                try:
                    self._clear_away(known)
                except NotAccepted as error:
                    self.state.clean()
                    raise ClusterError(
                        f"The cluster {self.name} is forgotten, but nobody could look whether something of kubelab's "
                        f"is left in its namespace {known.namespace}: its kubeconfig is not accepted any more."
                    ) from error
            self.state.clean()

    def reset(self) -> None:
        """Delete what is labelled as kubelab's. Raises `ClusterError`."""
        labelled.clear(self._access(), self.namespace)

    @property
    def proxy_mode(self) -> ProxyMode:
        """Raises `Lacking`."""
        raise Lacking("nobody can ask the nodes of this cluster by which rules they serve.")

    def set_proxy_mode(self, mode: ProxyMode) -> None:
        """Raises `Lacking`."""
        raise Lacking("kube-proxy of a cluster that is others' too is left alone.")

    def status(self) -> Status:
        """How it is, asked now."""
        known = record.read(self.state)
        if known is None:
            return Status(False, f"There is no cluster {self.name!r}; `{self._up_command}` attaches to one.")
        try:
            version = self._access().ask("GET", "/version").get("gitVersion", "")
        except ClusterError as error:
            return Status(False, str(error))
        where = f"namespace {known.namespace} of the context {known.context}"
        return Status(True, f"Kubernetes {version}, {where}")

    def _attach(self, known: Record | None) -> None:
        asked = self._asked
        if known is not None:
            self._refuse_another(known)
        paths = [Path(path) for path in known.kubeconfigs] if known else kubeconfig.usual_paths()
        context = kubeconfig.read_context(paths, known.context if known else asked.context)
        namespace = known.namespace if known else asked.namespace or context.namespace or "default"
        image = asked.image or (known.image if known else "")
        trusted = asked.trusted or bool(known and known.trusted)
        examination.refuse_names_that_cannot_be(namespace)
        self.state.write(self.kubeconfig, context.text(namespace))
        access = self._access()
        made = bool(known and known.made_namespace)
        if asked.create_namespace and examination.namespace_object(access, namespace) is None:
            self._make_namespace(access, namespace)
            made = True
        found = examination.examine(access, namespace, image, asked.ingress_class)
        found.require(namespace)
        if not trusted:
            command = f"{self._up_command}{f' --namespace {asked.namespace}' if asked.namespace else ''}"
            examination.refuse_what_looks_dear(access, context, namespace, found, command)
        if "ingress" not in found.lacks and not found.served_by.seen:
            found = replace(found, served_by=ingress.trial(access, namespace, found.served_by, found.host))
        served_by = "" if "ingress" in found.lacks else found.served_by.ingress_class
        Record(
            [str(path.absolute()) for path in paths], context.name, namespace, trusted, image, made,
            found.lacks, list(found.rights.nodes), found.host, served_by,
        ).write(self.state)  # fmt: skip

    def _refuse_another(self, known: Record) -> None:
        for what, now, then in (
            ("context", self._asked.context, known.context),
            ("namespace", self._asked.namespace, known.namespace),
        ):
            if now and now != then:
                raise ClusterError(
                    f"Cluster {self.name!r} is the {what} {then!r} already: `kubelab down --name {self.name}` "
                    f"forgets it, or give {now!r} another --name."
                )

    def _make_namespace(self, access: Access, namespace: str) -> None:
        if not rights.may(access, "", rights.NAMESPACES):
            raise ClusterError(
                "You may not make namespaces on this cluster: ask whoever runs it for one, and name that with "
                "--namespace."
            )
        labels = {labelled.LABEL: "kubelab"}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        access.ask("POST", "/api/v1/namespaces", body=body)

    def _clear_away(self, known: Record) -> None:
        access = self._access()
        found = examination.namespace_object(access, known.namespace)
        if found is None:
            return
        labelled.clear(access, known.namespace)
        ours = ((found.get("metadata") or {}).get("labels") or {}).get(labelled.LABEL) == "kubelab"
        if known.made_namespace and ours and not labelled.is_anything_left(access, known.namespace):
            access.ask("DELETE", f"/api/v1/namespaces/{known.namespace}")

    def _access(self) -> Access:
        return Access(self.kubeconfig)

    def _known(self) -> Record:
        known = record.read(self.state)
        if known is None:
            raise ClusterError(self.status().detail)
        return known

    @property
    def _up_command(self) -> str:
        return "kubelab up --on existing" + ("" if self.name == "kubelab" else f" --name {self.name}")


@contextmanager
def _as_cluster_error() -> Iterator[None]:
    try:
        yield
    except StateError as error:
        raise ClusterError(str(error)) from error
