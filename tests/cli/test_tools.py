from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("on_a_fake_engine.py")


def test_kubectl_gets_everything_unchanged(kubelab, kubectl, tmp_path):
    kubelab("up", "--name", "shop")
    argv = ["-n", "kube-system", "expose", "deployment", "web", "--name=front", "--help", "--", "-x"]
    done = kubelab("kubectl", "--name", "shop", *argv, stdin="manifest", **kubectl)
    assert done.returncode == 3
    assert done.stdout == "\n".join([f"{tmp_path}/home/shop/kubeconfig", *argv, "manifest"])


def test_without_kubectl_we_say_where_to_get_it(kubelab, tmp_path):
    done = kubelab("kubectl", "get", "pods", PATH=str(tmp_path))
    assert done.returncode == 127
    assert done.stderr.startswith("kubelab: kubectl is not installed; https://kubernetes.io/docs/tasks/tools/")


@pytest.mark.parametrize("name", ["kubelab-worker2", "worker2"])
def test_a_command_in_a_node_has_our_stdin_stdout_stderr_and_exit_status(kubelab, name):
    kubelab("up")
    done = kubelab("node", name, "--", "sh", "-c", "tr a-z A-Z; echo oops >&2; exit 5", stdin="rules\n")
    assert (done.returncode, done.stdout, done.stderr) == (5, "RULES\n", "oops\n")


def test_a_commands_own_options_are_its_own(kubelab):
    kubelab("up")
    assert kubelab("node", "outside", "echo", "-t", "--name", "x").stdout == "-t --name x\n"


def test_an_unknown_node_is_answered_with_those_that_are(kubelab):
    kubelab("up")
    done = kubelab("node", "worker9", "--", "true")
    assert done.returncode == 2
    assert "There is no node 'worker9'; there are kubelab-control-plane, kubelab-worker" in done.stderr


def test_an_interrupt_reaches_the_command(kubelab):
    kubelab("up")
    script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.02; done"
    with subprocess.Popen(
        [sys.executable, SCRIPT, "well", "node", "worker", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout.readline() == "ready\n"
        command.send_signal(signal.SIGINT)
        assert command.stdout.read() == "interrupted\n"
    assert command.returncode == 9


def test_on_a_terminal_the_command_has_a_terminal(kubelab):
    kubelab("up")
    ours, theirs = os.openpty()
    command = subprocess.Popen(
        [sys.executable, SCRIPT, "well", "node", "worker", "sh", "-c", "test -t 0 && read line && echo got $line"],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, b"hello\n")
    shown = b""
    while True:
        try:
            shown += os.read(ours, 1024)
        except OSError:
            break
    os.close(ours)
    assert command.wait() == 0
    assert b"got hello" in shown
