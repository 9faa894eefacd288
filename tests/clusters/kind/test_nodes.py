"""Commands in nodes, here on this machine behind an engine that records."""

from __future__ import annotations

import json

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind.containers import Engine
from kubelab.clusters.kind.image import OWN_IMAGE
from kubelab.clusters.kind.nodes import KindNode, tools_of
from kubelab.lab.shell import CLIENT_ARGV


@pytest.fixture
def node(programs) -> KindNode:
    container = {"id": "1", "labels": {}, "running": True, "ports": {}}
    (programs.home / "state.json").write_text(
        json.dumps({"containers": {"demo-worker": container}, "images": [], "next": 2})
    )
    return KindNode(Engine("docker", str(programs.path / "docker")), "demo-worker", "demo-worker", OWN_IMAGE)


def test_a_command_has_stdin_stdout_stderr_and_its_code(node, programs):
    done = node.run(["sh", "-c", "cat; echo oops >&2; exit 3"], stdin="rules\n")
    assert done == (3, "rules\n", "oops\n")
    assert programs.calls == [
        "docker exec --interactive demo-worker timeout --kill-after=2 30 sh -c cat; echo oops >&2; exit 3"
    ]


def test_a_missing_command_is_127_and_one_that_takes_too_long_124(node):
    assert node.run(["nosuchprogram"]).code == 127
    assert node.run(["sleep", "20"], timeout_seconds=0.1).code == 124


def test_a_node_that_is_stopped_says_so(node, programs):
    (programs.home / "state.json").write_text(json.dumps({"containers": {}, "images": [], "next": 2}))
    with pytest.raises(ClusterError, match="Node demo-worker does not run; `kubelab up` starts it again"):
        node.run(["true"])


@pytest.mark.parametrize(("code", "said"), [
    (1, "Error response from daemon: container 4f8796 is not running"),
    (255, "Error: can only create exec sessions on running containers: container state improper"),
    (125, 'Error: no container with name or ID "demo-worker" found: no such container'),
    (1, 'time="…" level=fatal msg="no running task found: task 4f8796 not found: not found"'),
])  # fmt: skip
def test_every_engines_words_for_that_are_known(node, programs, code, said):
    """Docker's, Podman's (as 4.3.1 says them) and nerdctl's."""
    programs.answer(("exec", code, "", said))
    with pytest.raises(ClusterError, match="Node demo-worker does not run"):
        node.run(["true"])


def test_a_program_of_ours_is_talked_with_beside_the_node(node, programs):
    """A node's image has no Python: the program runs in kubelab's own image, on the node's network."""
    conversation = node.talk(CLIENT_ARGV)
    try:
        program = "for line in sys.stdin:\n    print(job, line.strip(), flush=True)"
        conversation.send(json.dumps({"program": "import sys\n" + program, "job": "job"}) + "\n")
        conversation.send("hello\n")
        assert next(conversation.lines(10)) == "job hello"
    finally:
        conversation.close()
    (call,) = programs.calls
    assert call.startswith(
        "docker run --rm --pull=never --interactive --privileged --network=container:demo-worker --entrypoint="
    )
    assert OWN_IMAGE in call


def test_a_silent_program_is_not_waited_for(node):
    conversation = node.talk(["cat"])
    try:
        with pytest.raises(TimeoutError):
            next(conversation.lines(0.05))
    finally:
        conversation.close()


def test_what_a_node_has_is_asked_in_one_go(node, programs):
    programs.tool("conntrack-of-tests", "exit 0")
    assert tools_of(node, ["sh", "conntrack-of-tests", "nosuchprogram"]) == {"sh", "conntrack-of-tests"}
    assert len(programs.calls) == 1
