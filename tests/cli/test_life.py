from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubelab.engine.state import StateDir


def test_up_says_what_it_made_and_the_second_time_what_it_found(kubelab, tmp_path):
    up = kubelab("up")
    assert (up.returncode, up.stderr) == (0, "")
    first, *rest = up.stdout.splitlines()
    assert first.startswith("Cluster kubelab is up after ")
    path = tmp_path / "home" / "kubelab" / "kubeconfig"
    assert f"  kubeconfig  {path}" in rest
    assert any(line.endswith(f"export KUBECONFIG={path}") for line in rest)
    assert any("network namespaces, made as root" in line for line in rest)
    assert kubelab("up").stdout.startswith("Cluster kubelab was up already: ")


def test_kubeconfig_prints_the_path_and_nothing_else(kubelab, tmp_path):
    kubelab("up", "--name", "shop")
    done = kubelab("kubeconfig", "--name", "shop")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/home/shop/kubeconfig\n", "")


def test_the_name_may_come_from_the_environment(kubelab):
    kubelab("up", KUBELAB_NAME="shop")
    assert kubelab("status", KUBELAB_NAME="shop").stdout == "Cluster shop is up: all is well.\n"
    assert kubelab("status").returncode == 1


def test_down_and_down_again(kubelab):
    kubelab("up")
    assert kubelab("down").stdout == "Cluster kubelab is gone.\n"
    again = kubelab("down")
    assert (again.returncode, again.stdout) == (0, "Cluster kubelab was not running; nothing is left of it.\n")
    assert kubelab("status").stdout == "There is no cluster 'kubelab'; `kubelab up` makes one.\n"


@pytest.mark.parametrize("command", [["kubeconfig"], ["reset"], ["kubectl", "get", "pods"], ["node", "worker", "true"]])
def test_without_a_cluster_a_command_says_how_to_get_one(kubelab, kubectl, command):
    done = kubelab(*command, **kubectl)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == "kubelab: There is no cluster 'kubelab'; `kubelab up` makes one.\n"


def test_reset_says_that_it_is_done(kubelab):
    kubelab("up")
    assert kubelab("reset").stdout == "Cluster kubelab is empty again.\n"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["up", "--name", "No Name"], "A cluster cannot be called 'No Name'"),
        (["up", "--name", ""], "A cluster cannot be called ''"),
        (["up", "--api-port", "70000"], "70000 is not in the range 1<=x<=65535"),
        (["up", "--tier", "moon"], "'moon' is not one of"),
        (["fly"], "No such command 'fly'"),
        (["status", "--nmae", "x"], "No such option"),
    ],
)
def test_what_cannot_be_is_refused_in_words(kubelab, argv, sentence):
    done = kubelab(*argv)
    assert done.returncode in (1, 2)
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_failed_start_is_one_sentence(kubelab):
    done = kubelab("up", manner="refuses")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kubelab: Port 6443 on 127.0.0.1 is taken; choose another with --api-port.\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_start_leaves_no_half_made_cluster(kubelab, tmp_path, number):
    state = StateDir(tmp_path / "home" / "kubelab")
    script = Path(__file__).with_name("on_a_fake_engine.py")
    with subprocess.Popen([sys.executable, script, "mute", "up"], stderr=subprocess.PIPE) as up:
        while state.engine_pid() is None:
            assert up.poll() is None
            time.sleep(0.01)
        up.send_signal(number)
        assert up.stderr.read().strip() == b""
    assert up.returncode == 128 + number
    assert state.engine_pid() is None


def test_a_home_that_cannot_be_written_is_one_sentence(kubelab):
    done = kubelab("up", KUBELAB_HOME="/proc/nowhere")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "set KUBELAB_HOME" in done.stderr


def test_what_nobody_foresaw_is_one_sentence_too_and_a_traceback_only_on_demand(kubelab):
    done = kubelab("up", manner="unforeseen")
    assert done.returncode == 1
    assert done.stderr.startswith("kubelab: Something unforeseen went wrong: ZeroDivisionError: ")
    assert done.stderr.endswith("(KUBELAB_DEBUG=1 shows where).\n")
    assert "Traceback" in kubelab("up", manner="unforeseen", KUBELAB_DEBUG="1").stderr


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys; from kubelab.cli import cli;"
        "cli.main(['--help'], standalone_mode=False);"
        "heavy = {'asyncio', 'aiohttp', 'rich', 'yaml', 'cryptography', 'kubernetes'} & set(sys.modules);"
        "sys.exit(f'heavy: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
