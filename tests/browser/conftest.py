import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL_IS_CONNECTED = """() => {
    const app = window.jupyterapp;
    const current = app && app.shell.currentWidget;
    const session = current && current.sessionContext && current.sessionContext.session;
    return Boolean(session && session.kernel && session.kernel.connectionStatus === "connected");
}"""
RUN_ALL = """async () => {
    const current = window.jupyterapp.shell.currentWidget;
    await current.context.ready;
    await current.sessionContext.ready;
    await window.jupyterapp.commands.execute("notebook:run-all-cells");
    const cells = current.content.model.cells;
    const bad = [];
    for (const cell of Array.from(cells)) {
        for (let i = 0; cell.outputs && i < cell.outputs.length; i++) {
            if (cell.outputs.get(i).type === "error") bad.push(cell.id);
        }
    }
    return bad;
}"""


@pytest.fixture(scope="package")
def chromium():
    """Where a browser is; the tests are skipped where there is none."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[browser]'")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium")
    driver = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True, timeout=60
    )
    if driver.returncode != 0:
        pytest.skip(f"playwright's driver does not run on this machine: {driver.stderr.strip()}")
    return found


@pytest.fixture(scope="package")
def cluster_name(chromium):
    """A cluster of our own, up for these tests."""
    name = f"browser-{uuid.uuid4().hex[:6]}"
    kubelab = [sys.executable, "-m", "kubelab.cli"]
    try:
        done = subprocess.run([*kubelab, "up", "--name", name], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        yield name
    finally:
        subprocess.run([*kubelab, "down", "--name", name], capture_output=True, timeout=60, check=True)


@pytest.fixture
def short_lived():
    """A folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="kubelab-") as folder:
        yield folder


@pytest.fixture
def jupyterlab(cluster_name, tmp_path, short_lived):
    """The URL of a JupyterLab of our own, on a copy of the notebooks, with settings and a book of its own.

    The cluster is empty: what one test's Ingress catches would be another's surprise.
    """
    argv = [sys.executable, "-m", "kubelab.cli", "reset", "--name", cluster_name]
    subprocess.run(argv, capture_output=True, timeout=60, check=True)
    root = tmp_path / "course"
    for folder in ("notebooks", "exercises", "solutions"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", ".kubelab"))
    port = free_port()
    own = {
        name: str(tmp_path / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    kernel = {"KUBELAB_NAME": cluster_name, "KUBELAB_SEED": "reference", "KUBELAB_PROGRESS": str(tmp_path / "book")}
    own["TMPDIR"] = short_lived  # the proxy's server leaves the folder of its socket
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ServerApp.port_retries=0"]
    argv += ["--IdentityProvider.token=", f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True"]
    argv += ["--allow-root"] if os.geteuid() == 0 else []
    log = (tmp_path / "jupyter.log").open("w")
    with log, subprocess.Popen(argv, env={**os.environ, **own, **kernel}, stdout=log, stderr=log) as server:
        try:
            wait_for(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


@pytest.fixture
def page(chromium):
    """A page of a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        yield page
        browser.close()


@pytest.fixture
def run_notebook(page, jupyterlab):
    """Opens a notebook and runs it from top to bottom: ``run_notebook("notebooks/01-….ipynb")`` gives the page."""

    def run(path):
        page.goto(f"{jupyterlab}/lab/tree/{path}", timeout=90_000)
        page.wait_for_function(KERNEL_IS_CONNECTED, timeout=60_000)
        page.set_default_timeout(150_000)
        assert page.evaluate(RUN_ALL) == []
        return page

    return run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url, server):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None, "JupyterLab ended by itself"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    pytest.fail("JupyterLab did not answer within a minute")
