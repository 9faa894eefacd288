"""Apps as a task sets them up: Deployments that the learner must leave as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from kubelab.course import files
from kubelab.lab.api import Object
from kubelab.lab.lab import Lab

PACKAGE = "lesson02_services_and_endpointslices"
START_SECONDS = 180


class Version(NamedTuple):
    """One Deployment of an app."""

    deployment: str
    app: str
    version: str
    team: str
    replicas: int
    port: int
    port_name: str

    @property
    def manifest(self) -> Object:
        """The Deployment."""
        (deployment,) = files.manifest(PACKAGE, "app", **self._asdict())
        return deployment


def start(lab: Lab, versions: Iterable[Version]) -> None:
    """Apply them all, then wait for all."""
    lab.apply(files.manifest(PACKAGE, "server"))
    listed = list(versions)
    lab.apply([version.manifest for version in listed])
    for version in listed:
        lab.wait(f"deployment/{version.deployment}", "available", timeout=START_SECONDS)


def missing(lab: Lab, versions: Iterable[Version]) -> bool:
    """Whether the start state is not there."""
    names = {deployment["metadata"]["name"] for deployment in lab.find("deployments")}
    return not {version.deployment for version in versions} <= names


def changed(lab: Lab, versions: Iterable[Version]) -> list[str]:
    """The names of the Deployments that are no longer what they were at the start, however they came to be so."""
    return [version.deployment for version in versions if not _as_it_was(lab, version)]


def _as_it_was(lab: Lab, version: Version) -> bool:
    live = lab.find_one(f"deployment/{version.deployment}")
    if live is None:
        return False
    wanted = version.manifest["spec"]
    # What is matched by labels may not have one more, and one Service asks for any of them.
    same_labels = live["spec"]["template"]["metadata"]["labels"] == wanted["template"]["metadata"]["labels"]
    return same_labels and _within(wanted, live["spec"])


def _within(wanted: Any, live: Any) -> bool:
    """Whether everything that was wanted is there; the API server adds its defaults."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(_within(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(_within(*pair) for pair in zip(wanted, live, strict=True))
        )
    return bool(wanted == live)
