"""Which images there are here, and what starting one of them means.

There is no registry and nothing is pulled: a pod's file system is the machine's, and an image is a recipe.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kubelab.engine.images.references import Reference, parse

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

AGNHOST = "kubelab.engine.images.agnhost:main"
PAUSE = "kubelab.engine.images.pause:main"
ENTRIES = (AGNHOST, PAUSE)
"""Every ``entry`` that a recipe may name; whoever forks them may load their modules once, beforehand."""


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


@dataclass(frozen=True)
class _Image:
    """What an image's configuration says (OCI image-spec: ENTRYPOINT, CMD, Env)."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    forks: dict[str, str] = field(default_factory=dict)
    """Programs of the image that are built in: the name on the command line → entry."""
    root: bool = True


def _python_of_kubelab() -> dict[str, str]:
    """The environment in which `sys.executable` can import kubelab."""
    return {"PYTHONPATH": str(Path(__file__).resolve().parents[3])}


_IMAGES = {
    "registry.k8s.io/e2e-test-images/agnhost": _Image(
        ("/agnhost",), ("pause",), forks={"/agnhost": AGNHOST, "agnhost": AGNHOST}
    ),
    "registry.k8s.io/pause": _Image(("/pause",), forks={"/pause": PAUSE, "pause": PAUSE}, root=False),
    "registry.k8s.io/coredns/coredns": _Image(
        (sys.executable, "-m", "kubelab.engine.dns"), env=_python_of_kubelab(), root=False
    ),
    "kubelab.dev/ingress-controller": _Image(
        (sys.executable, "-m", "kubelab.engine.ingress"), env=_python_of_kubelab(), root=False
    ),
    "docker.io/library/python": _Image(cmd=("python3",), env={"LANG": "C.UTF-8"}),
    "docker.io/nicolaka/netshoot": _Image(cmd=("zsh",)),
}


def known() -> tuple[str, ...]:
    """The names of the images there are, shortest usual form, any tag."""
    return tuple(name.removeprefix("docker.io/library/").removeprefix("docker.io/") for name in sorted(_IMAGES))


def resolve(image: str, command: Sequence[str] = (), args: Sequence[str] = (), *, links: Path | None = None) -> Recipe:
    """How to run ``image`` with a container's ``command`` and ``args``.

    ``command`` replaces the image's ENTRYPOINT (and drops its CMD), ``args`` replaces its CMD. ``links`` is a folder
    that `install_links` made; it comes first on PATH. Raises `InvalidImageName` and `UnknownImage`.
    """
    reference = parse(image)
    found = _find(reference)
    argv = (*command, *args) if command else (*found.entrypoint, *(args or found.cmd))
    path = f"{links}:{SYSTEM_PATH}" if links is not None else SYSTEM_PATH
    env = {"PATH": path, **found.env}
    return Recipe(str(reference), f"kubelab:{reference.repository}", argv, env, entry_for(image, argv), root=found.root)


def entry_for(image: str, argv: Sequence[str]) -> str | None:
    """The built-in program that ``argv`` names in this image (``/agnhost`` in agnhost), if it is one."""
    return _find(parse(image)).forks.get(argv[0]) if argv else None


def _find(reference: Reference) -> _Image:
    try:
        return _IMAGES[reference.repository]
    except KeyError:
        raise UnknownImage(
            f'failed to resolve image "{reference}": kubelab pulls nothing; these images are here, with any tag: '
            + ", ".join(known())
        ) from None
