"""The Littlest JupyterHub: what a learner's server needs to know of kubelab.

Goes to /opt/tljh/config/jupyterhub_config.d/; ``sudo tljh-config reload hub`` reads it. Without kubeconfigs every
learner has the embedded cluster of their own; with them, one namespace of a cluster that all share.
"""

from pathlib import Path
from typing import Any

KUBECONFIGS = Path("/opt/kubelab/kubeconfigs")
"""The folder of `kubelab workshop create`; each file belongs to its learner, and the folder lets everybody through."""


def kubeconfig(spawner: Any) -> str:
    """A learner's own kubeconfig; empty where there is none."""
    file = KUBECONFIGS / f"{spawner.user.name}.kubeconfig"
    return str(file) if file.is_file() else ""


def provider(spawner: Any) -> str:
    """What is under the lessons."""
    return "existing" if kubeconfig(spawner) else "embedded"


c = get_config()  # noqa: F821 - JupyterHub gives it to its configuration files
c.Spawner.environment.update(KUBELAB_ON=provider, KUBECONFIG=kubeconfig)
