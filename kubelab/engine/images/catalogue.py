"""What an image's name means here: whether there is one, and how it is started (`shelf` has them all).

There is no registry and nothing is pulled: a pod's file system is the machine's, and an image is a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.images.references import Reference, parse
from kubelab.engine.images.shelf import IMAGES, Image

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class UnknownImage(LookupError):
    """There is no such image here. The message lists those that there are."""


@dataclass(frozen=True)
class Recipe:
    """How to run a container: what `kubelab.engine.network.contract.Program` needs to know of its image."""

    image: str
    """The complete name, as a container's status shows it."""
    image_id: str
    argv: tuple[str, ...]
    env: dict[str, str]
    entry: str | None = None
    """``package.module:function`` when the process is forked and not executed."""
    cwd: str = "/"
    root: bool = True
    """Whether the image's own user is root."""
    says: str = ""
    """What runs in place of the real image, for people; empty where it is kubelab's own."""
    folders: dict[str, dict[str, str]] = field(default_factory=dict)
    """Folders that the container has for itself, to write in: path → file name → text."""
    unread: tuple[str, ...] = ()
    """Paths below which the real image reads its configuration and this one does not."""


def known() -> dict[str, str]:
    """The images there are, in their shortest usual form, and what runs in place of each."""
    return {_short(name): image.says for name, image in sorted(IMAGES.items(), key=lambda each: _short(each[0]))}


def _usual() -> list[str]:
    """Those that a learner may want, each by its first name."""
    first = {id(image): name for name, image in reversed(IMAGES.items()) if image.says}
    return sorted(map(_short, first.values()))


def _short(repository: str) -> str:
    return repository.removeprefix("docker.io/library/").removeprefix("docker.io/")


def resolve(image: str, command: Sequence[str] = (), args: Sequence[str] = (), *, links: Path | None = None) -> Recipe:
    """How to run ``image`` with a container's ``command`` and ``args``.

    ``command`` replaces the image's ENTRYPOINT (and drops its CMD), ``args`` replaces its CMD. ``links`` is a folder
    that `install_links` made; it comes first on PATH. Raises `InvalidImageName` and `UnknownImage`.
    """
    reference = parse(image)
    found = _find(reference)
    argv = (*command, *args) if command else (*found.entrypoint, *(args or found.cmd))
    path = f"{links}:{SYSTEM_PATH}" if links is not None else SYSTEM_PATH
    env = {"PATH": path, "KUBELAB_IMAGE": str(reference), **found.env}
    return Recipe(
        str(reference),
        f"kubelab:{reference.repository}",
        argv,
        env,
        entry_for(image, argv),
        root=found.root,
        says=found.says,
        folders=found.folders,
        unread=found.unread,
    )


def entry_for(image: str, argv: Sequence[str]) -> str | None:
    """The built-in program that ``argv`` names in this image (``/agnhost`` in agnhost), if it is one."""
    return _find(parse(image)).forks.get(argv[0]) if argv else None


def _find(reference: Reference) -> Image:
    found = IMAGES.get(reference.repository)
    if found is None:
        here = f"kubelab pulls nothing; these images are here: {', '.join(_usual())}"
        raise UnknownImage(f'failed to resolve image "{reference}": {here}')
    if found.tags and reference.tag and not re.fullmatch(found.tags, reference.tag):
        raise UnknownImage(f'failed to resolve image "{reference}": {reference}: not found')
    return found
