"""One context cut out of the user's kubeconfig files, which are read and never written.

Several files are one, and the first that names a thing wins
(https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from kubelab.clusters.base import ClusterError

VARIABLE = "KUBECONFIG"
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
"""Paths, which count from the folder of the file that they stand in."""


@dataclass(frozen=True)
class Context:
    """One context with what it refers to."""

    name: str
    cluster_name: str
    user_name: str
    namespace: str
    """Empty where the context says none."""
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]

    @property
    def server(self) -> str:
        """The API server's host."""
        return urlsplit(str(self.cluster.get("server", ""))).hostname or ""

    def text(self, namespace: str) -> str:
        """A kubeconfig of this context alone, in which ``namespace`` is the usual one."""
        context = {"cluster": self.cluster_name, "user": self.user_name, "namespace": namespace}
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.cluster_name, "cluster": dict(self.cluster)}],
            "users": [{"name": self.user_name, "user": dict(self.user)}],
            "contexts": [{"name": self.name, "context": context}],
            "current-context": self.name,
        }
        return yaml.safe_dump(whole, sort_keys=False)


def usual_paths() -> list[Path]:
    """Where kubectl would look: ``$KUBECONFIG``, else ``~/.kube/config``."""
    listed = [Path(each) for each in os.environ.get(VARIABLE, "").split(os.pathsep) if each]
    return listed or [Path("~/.kube/config").expanduser()]


def read_context(paths: Sequence[Path], name: str = "") -> Context:
    """A context, or the current one. Raises `ClusterError`."""
    files = [(path.absolute(), _read(path)) for path in paths if path.exists()]
    listed = os.pathsep.join(map(str, paths))
    if not files:
        raise ClusterError(
            f"There is no kubeconfig at {listed}: get one from whoever runs the cluster, and name it in {VARIABLE}."
        )
    chosen = name or next((str(each["current-context"]) for _, each in files if each.get("current-context")), "")
    contexts = _merged(files, "contexts", "context")
    if chosen not in contexts:
        there = ", ".join(sorted(contexts)) or "none"
        what = f"no context {chosen!r}" if chosen else "no current context"
        raise ClusterError(f"The kubeconfig {listed} has {what} (there are: {there}); say which with --context.")
    context = contexts[chosen]
    cluster_name, user_name = str(context.get("cluster", "")), str(context.get("user", ""))
    clusters, users = _merged(files, "clusters", "cluster"), _merged(files, "users", "user")
    if cluster_name not in clusters:
        raise ClusterError(f"The context {chosen!r} names the cluster {cluster_name!r}, which {listed} does not have.")
    if user_name and user_name not in users:
        raise ClusterError(f"The context {chosen!r} names the user {user_name!r}, which {listed} does not have.")
    return Context(
        chosen, cluster_name, user_name, str(context.get("namespace") or ""),
        clusters[cluster_name], users.get(user_name, {}),
    )  # fmt: skip


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not YAML"
        raise ClusterError(f"The kubeconfig {path} cannot be read: {reason}.") from error
    if not isinstance(found, dict):
        raise ClusterError(f"The kubeconfig {path} cannot be read: it is not a mapping.")
    return found


def _merged(files: Sequence[tuple[Path, Mapping[str, Any]]], plural: str, one: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, content in files:
        for entry in content.get(plural) or ():
            found.setdefault(str(entry.get("name", "")), _absolute(entry.get(one) or {}, path.parent))
    return found


def _absolute(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    paths = {key: str(folder / entry[key]) for key in _FILES if entry.get(key)}
    made = {**entry, **paths}
    command = (made.get("exec") or {}).get("command", "")
    if "/" in command:  # like kubectl: a name alone is looked for on PATH
        made["exec"] = {**made["exec"], "command": str(folder / command)}
    return made
