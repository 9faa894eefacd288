"""From a container's spec to a program: its image, environment, command, files and mounts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kubelab.engine import images
from kubelab.engine.client import Object
from kubelab.engine.network.contract import Mount, Program
from kubelab.engine.node import fields
from kubelab.engine.node.environment import environment
from kubelab.engine.node.expansion import expand
from kubelab.engine.node.host import Host
from kubelab.engine.node.pod_files import pod_files
from kubelab.engine.node.sources import MissingSource
from kubelab.engine.node.status import PodRecord
from kubelab.engine.node.unapplied import root_refused
from kubelab.engine.node.volumes import Volumes

LINKS_IN_PODS = Path("/.kubelab/bin")
"""Where a pod with a root of its own sees `NodeSettings.links`, wherever on the machine that is."""

OWN_IN_PODS = {Path("/tmp"), Path("/run")}
"""What a pod with a root of its own has for itself, so that a checkout or a Python there has to be mounted."""


class CannotStart(Exception):
    """A container cannot be started now. ``reason`` is kubelet's word for the state ``waiting``."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def told_of(error: CannotStart, image: str) -> list[tuple[str, str]]:
    """Reason and message of the events that tell of it."""
    reason = error.reason
    if reason == "ErrImagePull":
        tries = [("Pulling", f'Pulling image "{image}"'), ("Failed", f'Failed to pull image "{image}": {error}')]
        return [*tries, ("Failed", f"Error: {reason}")]
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return [
            ("InspectFailed" if reason == "InvalidImageName" else reason, str(error)),
            ("Failed", f"Error: {reason}"),
        ]
    return [("Failed", f"Error: {error}")]


@dataclass(frozen=True)
class Prepared:
    """A container ready to start."""

    recipe: images.Recipe
    program: Program


def recipe_of(host: Host, container: Object) -> images.Recipe:
    """What the image says. Raises `CannotStart`."""
    image = container.get("image") or ""
    try:
        return images.resolve(image)
    except images.InvalidImageName as error:
        raise CannotStart("InvalidImageName", str(error)) from error
    except images.UnknownImage as error:
        if container.get("imagePullPolicy") == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            raise CannotStart("ErrImageNeverPull", message) from error
        raise CannotStart("ErrImagePull", str(error)) from error


async def prepare(host: Host, record: PodRecord, container: Object, volumes: Volumes) -> Prepared:
    """Resolve everything that the container names. Raises `CannotStart` and `ApiError`."""
    if refusal := root_refused(record, container, recipe_of(host, container).root):
        raise CannotStart("CreateContainerConfigError", refusal)
    # The record's addresses, not the API's: the status that tells them may not be written yet.
    ips = {"podIP": record.ip, "podIPs": [{"ip": record.ip}], "hostIP": record.host_ip}
    ips["hostIPs"] = [{"ip": record.host_ip}]
    pod = {**record.pod, "status": {**(record.pod.get("status") or {}), **ips}}
    try:
        values = await environment(pod, container, host.sources, host.machine)
        mounts = [*_links(host), *_ourselves(host), *volumes.mounts(container, values)]
        hostname = fields.kernel_hostname(pod)
    except (MissingSource, fields.UnknownField) as error:
        raise CannotStart("CreateContainerConfigError", str(error)) from error
    command = [expand(word, values) for word in container.get("command") or ()]
    args = [expand(word, values) for word in container.get("args") or ()]
    links = next((Path(mount.target) for mount in _links(host)), host.settings.links)
    recipe = images.resolve(container["image"], command, args, links=links)
    if not recipe.argv:
        raise CannotStart("CreateContainerError", "no command specified")
    terminal = {"TERM": "xterm"} if container.get("tty") else {}
    mounts = [*_own_folders(host.volumes / pod["metadata"]["uid"], container, recipe), *mounts]
    program = Program(
        argv=recipe.argv,
        env={**recipe.env, "HOSTNAME": hostname, "HOME": "/", **terminal, **values},
        cwd=container.get("workingDir") or recipe.cwd,
        entry=recipe.entry,
        hostname=hostname,
        files=pod_files(pod, record.ip),
        mounts=mounts,
        tty=bool(container.get("tty")),
    )
    return Prepared(recipe, program)


def _own_folders(pod: Path, container: Object, recipe: images.Recipe) -> list[Mount]:
    """Where the image lets its container write, fresh for each run; a volume at the same place is there instead."""
    taken = {each["mountPath"].rstrip("/") for each in container.get("volumeMounts") or ()}
    mounts = []
    for target, files in recipe.folders.items():
        if target not in taken:
            folder = pod / f"~{container['name']}" / target.strip("/").replace("/", "~")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, text in files.items():
                (folder / name).write_text(text)
            mounts.append(Mount(str(folder), target, read_only=False))
    return mounts


def _links(host: Host) -> list[Mount]:
    # An interposed pod sees the machine's own files, and starts programs by their paths there.
    if host.network.tier == "interposed":
        return []
    return [Mount(str(host.settings.links), str(LINKS_IN_PODS))]


def _ourselves(host: Host) -> list[Mount]:
    """What our programs in pods are made of, wherever on the machine that is."""
    package = Path(__file__).parents[2]
    folders = [Path(sys.prefix), Path(sys.base_prefix), package.parent, package, host.settings.links]
    return [Mount(str(folder), str(folder)) for folder in hidden_in_pods(folders)]


def hidden_in_pods(folders: Iterable[Path]) -> list[Path]:
    """Which of them, as named and as they really are, a pod's own /tmp and /run hide; none below another of them."""
    named = {name for folder in folders for name in (folder.absolute(), folder.resolve())}
    hidden = {folder for folder in named if OWN_IN_PODS & set(folder.parents)}
    return sorted(folder for folder in hidden if not hidden & set(folder.parents))
