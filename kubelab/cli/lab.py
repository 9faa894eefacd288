"""lab: the cluster and JupyterLab, side by side."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote

import click

from kubelab.cli.options import name_option

SETTINGS = Path(__file__).with_name("lab_settings")
"""JupyterLab's defaults for this lab only: no question about news, no look for updates."""

QUIET = ("--ServerApp.log_level=WARN", "--LabApp.log_level=WARN")
"""What is left on the terminal is the URL."""


@click.command(context_settings={"ignore_unknown_options": True}, short_help="Start the cluster and open JupyterLab.")
@name_option
@click.option("--browser/--no-browser", default=True, help="Open a browser, or print the URL only.")
@click.argument("notebook", required=False, type=click.Path(exists=True))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(name: str, browser: bool, notebook: str | None, arguments: tuple[str, ...]) -> None:
    """Start the cluster and open JupyterLab here, on NOTEBOOK if named; further options are JupyterLab's own."""
    from importlib.util import find_spec

    from kubelab.clusters import attach
    from kubelab.clusters.base import ClusterError

    if find_spec("jupyterlab") is None:
        raise ClusterError(f"JupyterLab is not installed; `{sys.executable} -m pip install jupyterlab` gets it.")
    cluster = attach(name)
    click.echo(f"Cluster {name} is up, and stays when Ctrl-C ends JupyterLab; `kubelab down` stops it.", err=True)
    # The root is where the command was given, so that links to other folders of the course work.
    here = Path.cwd()
    page = f"/tree/{quote(os.path.relpath(notebook, here))}" if notebook else ""
    command = [
        *(sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={here}", f"--LabApp.default_url=/lab{page}"),
        f"--LabApp.app_settings_dir={SETTINGS}",
        *([] if "--debug" in arguments else QUIET),
        *([] if browser else ["--no-browser"]),
        *(["--allow-root"] if os.getuid() == 0 else []),
        *arguments,
    ]
    environment = os.environ | _writable_home() | {"KUBELAB_NAME": name, "KUBECONFIG": str(cluster.kubeconfig)}
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)


def _writable_home() -> dict[str, str]:
    """What to change in the environment where nobody may write to the home: JupyterLab ends without one."""
    from kubelab.engine.state import home

    if os.access(Path.home(), os.W_OK | os.X_OK):
        return {}
    instead = home() / ".home"
    instead.mkdir(mode=0o700, exist_ok=True)
    click.echo(f"Nobody can write to {Path.home()}; JupyterLab keeps its files in {instead}.", err=True)
    return {"HOME": str(instead), "KUBELAB_HOME": str(home())}
