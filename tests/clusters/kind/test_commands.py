"""The command line on kind: `--on` once, then every command finds the cluster."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from kubelab.cli import cli
from kubelab.clusters.base import ClusterError
from tests.clusters.kind.conftest import INFO


class Ran(NamedTuple):
    """A command that was run to its end, in this process."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def kubelab(programs, monkeypatch):
    """Runs ``kubelab ARGV…`` on the cluster ``demo``."""
    monkeypatch.setenv("KUBELAB_NAME", "demo")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*argv: str) -> Ran:
        done = CliRunner().invoke(cli, argv)
        if isinstance(done.exception, ClusterError):
            return Ran(1, done.stdout, f"kubelab: {done.exception}")
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    return run


def test_up_once_on_kind_and_every_command_finds_it(kubelab, api, programs, tmp_path):
    up = kubelab("up", "--on", "kind")
    assert up.code == 0, up.stderr
    first, *rest = up.stdout.splitlines()
    assert first.startswith("Cluster demo is up after ")
    assert "on kind, 3 nodes in Docker." in first
    assert "  nodes       demo-control-plane, demo-worker, demo-worker2" in rest
    assert any(line.startswith("  ingress     http://127.0.0.1:") for line in rest)
    assert "kind creates three nodes" in up.stderr  # progress is no output

    assert kubelab("up").stdout.startswith("Cluster demo was up already")
    assert kubelab("status").stdout.startswith("Cluster demo is up: Kubernetes v1.36.")
    assert kubelab("kubeconfig").stdout == f"{tmp_path}/home/demo/kubeconfig\n"
    assert "there are demo-control-plane, demo-worker, demo-worker2, outside" in kubelab("node", "moon", "true").stderr
    programs.tool("curl", "printf nftables")
    assert [line.split() for line in kubelab("proxy-mode").stdout.splitlines()] == [
        [f"demo-{each}", "nftables"] for each in ("control-plane", "worker", "worker2")
    ]
    assert kubelab("reset").stdout == "Cluster demo is empty again.\n"
    assert kubelab("logs", str(tmp_path / "logs")).code == 0
    other = kubelab("up", "--on", "embedded")
    assert (other.code, other.stdout) == (1, "")
    assert "Cluster 'demo' is on kind" in other.stderr
    assert kubelab("down").stdout == "Cluster demo is gone.\n"
    assert programs.containers == {}


def test_a_command_in_a_node_has_our_stdin_stdout_and_exit_status(cluster, programs):
    cluster.up()
    script = "echo $FAKE_NODE; tr a-z A-Z; exit 5"
    command = [sys.executable, "-m", "kubelab.cli", "node", "--name", "demo", "worker2", "--", "sh", "-c", script]
    done = subprocess.run(command, input="rules\n", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "demo-worker2\nRULES\n")


def test_the_environment_can_say_on_what(kubelab, programs, monkeypatch):
    (programs.path / "kind").unlink()
    monkeypatch.setenv("KUBELAB_ON", "kind")
    up = kubelab("up")
    assert (up.code, up.stdout) == (1, "")
    assert "kubelab: kind is not on PATH: https://kind.sigs.k8s.io/" in up.stderr


def test_options_of_the_embedded_cluster_are_refused(kubelab):
    done = kubelab("up", "--on", "kind", "--tier", "user")
    assert done.code == 2
    assert "--tier can be said of an embedded cluster only" in done.stderr


def test_the_doctor_looks_at_what_kind_needs(kubelab, programs):
    programs.info({**INFO, "CgroupVersion": "1"})
    done = kubelab("doctor", "--on", "kind")
    assert done.code == 1
    assert "✔  engine   Docker 28.2.2" in done.stdout
    assert "✘  cgroup" in done.stdout
    assert "A cluster on kind cannot run here" in done.stdout


def test_the_embedded_cluster_pays_nothing_for_kind():
    code = (
        "import sys, kubelab.clusters; kubelab.clusters.find('demo');"
        "found = {name for name in sys.modules if 'kind' in name.split('.')};"
        "found |= {'yaml', 'asyncio'} & set(sys.modules);"
        "sys.exit(f'loaded: {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
