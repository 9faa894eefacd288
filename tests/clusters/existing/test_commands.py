"""The command line on somebody's cluster."""

import pytest
from click.testing import CliRunner

from kubelab.cli import cli
from kubelab.clusters.base import ClusterError


@pytest.fixture
def kubelab(make):
    """Run a command as if it were typed; its output. A failure is raised."""

    def run(*argv):
        done = CliRunner().invoke(cli, [*argv, "--name", "classroom"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def test_up_says_where_one_is_and_what_lessons_will_do_without(kubelab):
    said = kubelab(
        "up", "--on", "existing", "--namespace", "team-blue", "--image", "registry.example/python:3.12"
    ).output
    assert "namespace team-blue of the context classroom" in said
    assert "  image       registry.example/python:3.12" in said
    assert "several nodes: you may not list its nodes" in said
    assert "conntrack, kernel rules, node shell: kubelab runs nothing on the nodes" in said


def test_status_and_down_know_it_by_its_name(kubelab):
    kubelab("up", "--on", "existing")
    assert "Cluster classroom is up: Kubernetes v1.36.2" in kubelab("status").output
    assert kubelab("down").output == "Cluster classroom is gone.\n"
    assert kubelab("status").exit_code == 1


def test_a_cluster_that_is_gone_for_good_is_let_go_of_when_one_says_so(kubelab, there, monkeypatch):
    kubelab("up", "--on", "existing")

    def gone(*_):
        raise ClusterError("The cluster cannot be reached.")

    monkeypatch.setattr(there, "ask", gone)
    with pytest.raises(ClusterError, match=r"reached\. .*for good, `kubelab down --forget --name classroom` lets go"):
        kubelab("down")
    assert kubelab("down", "--forget").output.startswith("Cluster classroom is forgotten;")
    assert "There is no cluster 'classroom'" in kubelab("status").output
    with pytest.raises(ClusterError, match="There is no kind or existing cluster 'classroom'"):
        kubelab("down", "--forget")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--on", "existing", "--tier", "root"), "--tier can be said of an embedded cluster only"),
        (("--on", "existing", "--proxy-mode", "ipvs"), "--proxy-mode can be said of a cluster of kubelab's own only"),
        (("--context", "classroom", "--yes"), "--context and --yes can be said of an existing cluster only"),
    ],
)
def test_an_option_of_another_kind_of_cluster_is_refused(kubelab, argv, said):
    done = kubelab("up", *argv)
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
