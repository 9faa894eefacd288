"""Which engine and which kind are taken, and what is said of those that cannot be."""

from __future__ import annotations

import pytest

from kubelab.clusters.base import ClusterError
from kubelab.clusters.kind import containers
from kubelab.clusters.kind.containers import find_engine
from kubelab.clusters.kind.program import complaint, find_kind
from tests.clusters.kind.conftest import INFO, PODMAN_INFO


def test_the_first_engine_that_works_is_taken(programs):
    programs.install("podman")
    programs.answer(("^docker info", 1, "", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.\n"))
    programs.info(PODMAN_INFO)
    engine = find_engine()
    assert (engine.name, engine.facts.rootless, engine.facts.cgroup) == ("podman", True, 2)


def test_of_several_the_one_is_taken_that_kind_would_take(programs):
    """kind 0.33 looks for Docker, nerdctl and Podman, in this order."""
    programs.install("nerdctl", "podman")
    assert find_engine().name == "docker"
    (programs.path / "docker").unlink()
    assert find_engine().name == "nerdctl"


def test_kinds_own_variable_chooses(programs, monkeypatch):
    programs.install("nerdctl")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    assert find_engine().name == "nerdctl"
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "lxc")
    with pytest.raises(ClusterError, match="is 'lxc'; kubelab knows docker, nerdctl, podman"):
        find_engine()


def test_a_docker_that_is_podman_is_asked_as_podman(programs):
    programs.install("podman")
    programs.answer(("^docker --version", 0, "podman version 5.4.0\n", ""))
    programs.info(PODMAN_INFO)
    assert find_engine().name == "podman"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("permission denied while trying to connect to the Docker daemon socket", r"you may not use it .*usermod -aG"),
        ("Cannot connect to the Docker daemon. Is the docker daemon running?", "does not run: `sudo systemctl start"),
        ("panic: out of cheese", "does not work: panic: out of cheese; `docker info` shows it all"),
    ],
)
def test_an_engine_that_does_not_answer_is_told_with_its_remedy(programs, said, sentence):
    programs.answer(("^docker info", 1, "", said))
    with pytest.raises(ClusterError, match=sentence):
        find_engine()


def test_an_engine_that_complains_inside_its_answer_does_not_work_either(programs):
    programs.info({**INFO, "ServerErrors": ["Cannot connect to the Docker daemon at unix:///var/run/docker.sock."]})
    with pytest.raises(ClusterError, match="is installed, but does not run"):
        find_engine()


def test_an_engine_that_hangs_is_not_waited_for(programs, monkeypatch):
    monkeypatch.setattr(containers, "ANSWER_SECONDS", 0.2)
    programs.answer(("^docker info", 0, "", "", 30))
    with pytest.raises(ClusterError, match=r"Docker did not answer within 0\.2 s: restart it"):
        find_engine()


def test_what_is_too_old_is_refused(programs):
    programs.info({**INFO, "ServerVersion": "19.03.5"})
    with pytest.raises(ClusterError, match=r"Docker 19\.3\.5 is too old for kind: 20\.10 or newer"):
        find_engine()


def test_nerdctl_says_its_own_version_elsewhere_than_containerds(programs, monkeypatch):
    programs.install("nerdctl")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "nerdctl")
    programs.info({**INFO, "ServerVersion": "v1.6.20"})  # containerd
    programs.answer(("^nerdctl --version", 0, "nerdctl version 1.7.7\n", ""))
    assert find_engine().facts.version == (1, 7, 7)
    programs.answer(("^nerdctl --version", 0, "nerdctl version 1.6.2\n", ""))
    with pytest.raises(ClusterError, match=r"nerdctl 1\.6\.2 is too old for kind: 1\.7 or newer"):
        find_engine()


def test_only_docker_has_a_group_to_be_in(programs, monkeypatch):
    programs.install("podman")
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "podman")
    programs.answer(("^podman info", 125, "", "Error: mkdir /run/user/0: permission denied"))
    with pytest.raises(ClusterError, match="Podman does not work: Error: mkdir /run/user/0: permission denied"):
        find_engine()


def test_without_any_engine_one_is_told_where_there_is_one(programs):
    (programs.path / "docker").unlink()
    with pytest.raises(ClusterError, match="kind needs Docker, Podman or nerdctl, which is not on PATH: https://"):
        find_engine()


@pytest.mark.parametrize("version", ["kind v0.32.0 go1.25 linux/amd64", "kind v0.9.0 go1.15 linux/amd64"])
def test_an_old_kind_is_refused(programs, tmp_path, version):
    programs.answer(("^kind version", 0, version, ""))
    with pytest.raises(ClusterError, match=r"is too old, 0\.33 or newer is needed: https://kind\.sigs\.k8s\.io/"):
        find_kind(find_engine(), tmp_path / "log")


def test_a_missing_kind_is_told_where_to_get_it(programs, tmp_path):
    (programs.path / "kind").unlink()
    with pytest.raises(ClusterError, match=r"kind is not on PATH: https://kind\.sigs\.k8s\.io/"):
        find_kind(find_engine(), tmp_path / "log")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('ERROR: no nodes found for cluster "demo"\n', 'no nodes found for cluster "demo"'),
        ("ERROR: failed to create cluster: unable to decode config: yaml: unmarshal errors:\n  line 1: no field x",
         "failed to create cluster: unable to decode config: yaml: unmarshal errors: line 1: no field x"),
        ('Creating cluster "demo" ...\n ✗ Preparing nodes 📦\nERROR: failed to create cluster: command "docker run '
         '--name demo-control-plane kindest/node:v1.36.4" failed with error: exit status 125\n\nCommand Output: 3f1c\n'
         "docker: Error response from daemon: Bind for 127.0.0.1:80 failed: port is already allocated.\n\n"
         "Run 'docker run --help' for more information\n",
         "failed to create cluster: `docker run …` failed: Bind for 127.0.0.1:80 failed: port is already allocated"),
        ('ERROR: failed to create cluster: failed to init node with kubeadm: command "docker exec a kubeadm init" '
         "failed with error: exit status 1\n\nCommand Output: I1123 loader.go:405\n"
         "error: error execution phase: no kubelet\nk8s.io/kubernetes/cmd\n\tcmd.go:132\n\nStack Trace: \nerrors.go:1",
         "failed to create cluster: failed to init node with kubeadm: `docker exec …` failed: "
         "error execution phase: no kubelet"),
        ("ERROR: failed to delete cluster \"demo\": error listing nodes: command "
         "\"docker ps --format '{{.Label \"x\"}}'\" failed with error: exit status 1\n\n"
         "Command Output: Cannot connect to the Docker daemon.\n",
         'failed to delete cluster "demo": error listing nodes: `docker ps …` failed: '
         "Cannot connect to the Docker daemon"),
        ('ERROR: [command "docker exec a crictl images" failed with error: exit status 1, command "docker exec a cat '
         '/kind/version" failed with error: exit status 1]', "`docker exec …` failed: exit status 1"),
        ("", "it said nothing"),
    ],
)  # fmt: skip
def test_of_what_kind_says_the_cause_is_told(said, sentence):
    """kind quotes the whole command that failed, and below it all that it said."""
    assert complaint(said) == sentence


def test_kind_is_told_the_engine_and_its_words_are_kept(programs, tmp_path):
    kind = find_kind(find_engine(), tmp_path / "log")
    archive = tmp_path / "images.tar"
    archive.touch()
    told = r'could not load the images .*: no nodes found for cluster "demo" \(kind\'s own words are in /'
    with pytest.raises(ClusterError, match=told):
        kind.load("demo", archive)
    assert 'ERROR: no nodes found for cluster "demo"' in (tmp_path / "log").read_text()
