"""`kubelab workshop`, from the words of the command line to its exit status."""

from __future__ import annotations

import base64
import json

import click
import pytest
import yaml
from click.testing import CliRunner

from kubelab.cli.workshop import workshop
from kubelab.lab.errors import LabError


@pytest.fixture
def kubelab(access, monkeypatch, tmp_path):
    """Runs ``kubelab workshop ARGV…`` in a folder of its own on the cluster in memory."""
    monkeypatch.setattr("kubelab.workshop.access.open_cluster", lambda *_: access)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.csv").write_text("name,email\nAda Lovelace,ada@example.test\nGrace Hopper,\n")
    return lambda *argv: CliRunner().invoke(workshop, argv)


def test_create_status_delete(kubelab, tmp_path):
    made = kubelab("create", "--learners", "names.csv", "--workshop", "k8s", "--domain", "class.example.test")
    assert made.exit_code == 0, made.output
    assert "Workshop k8s: 2 of 2 learners are ready." in made.stdout
    assert "ada-lovelace.class.example.test" in made.stdout
    assert sorted(file.name for file in (tmp_path / "k8s").iterdir()) == [
        "ada-lovelace.kubeconfig", "grace-hopper.kubeconfig", "handout.csv",
    ]  # fmt: skip
    again = kubelab("create", "--learners", "names.csv", "--workshop", "k8s", "--domain", "class.example.test")
    assert "0 new, 0 completed or changed, 2 as they were" in again.stdout
    seen = json.loads(kubelab("status", "--workshop", "k8s", "--json").stdout)
    assert [each["name"] for each in seen["learners"]] == ["Ada Lovelace", "Grace Hopper"]
    refused = kubelab("delete", "--workshop", "k8s")
    assert (refused.exit_code, "2 namespaces and all that is in them" in refused.stdout) == (2, True)
    assert "give --yes" in refused.stderr
    assert kubelab("delete", "--workshop", "k8s", "--yes").exit_code == 0
    assert "nothing of a workshop 'k8s'" in kubelab("delete", "--workshop", "k8s").stdout


def test_where_node_ports_are_few_it_is_told_and_who_has_some_keeps_them(kubelab, cluster, tmp_path):
    names = [f"learner {number}" for number in range(260)]
    (tmp_path / "many.csv").write_text("\n".join(names))
    assert "that is 7 for each one's Services of type NodePort" in kubelab("create", "--learners", "many.csv").stderr
    (tmp_path / "late.csv").write_text("\n".join([*names[:10], "somebody late"]))
    assert "that is 11 for each" not in kubelab("create", "--learners", "late.csv").stderr
    ports = [int(each["spec"]["hard"]["services.nodeports"]) for each in cluster.objects.values()
             if each["kind"] == "ResourceQuota" and "services.nodeports" in each["spec"]["hard"]]  # fmt: skip
    assert sum(ports) <= 2768 * 3 / 4


def test_watching_goes_on_while_the_api_is_away(kubelab, cluster, monkeypatch):
    kubelab("create", "--learners", "names.csv")
    request, looks = cluster.request, []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 2:
            monkeypatch.setattr(cluster, "request", request)
        elif len(looks) == 3:
            raise click.Abort
        else:
            monkeypatch.setattr(cluster, "request", away)

    def away(*_):
        raise LabError("Nobody answers.")

    monkeypatch.setattr("time.sleep", sleep)
    shown = kubelab("status", "--watch").stdout
    assert looks == [5.0, 5.0, 5.0]
    assert "workshop: 2 learners, 0 have begun." in shown


def test_who_could_not_be_given_a_namespace_is_named(kubelab, cluster):
    cluster.put("/api/v1/namespaces/workshop-ada-lovelace", "Namespace")
    made = kubelab("create", "--learners", "names.csv")
    assert made.exit_code == 1
    assert "1 of 2 learners are ready" in made.stdout
    assert "✘ Ada Lovelace: The Namespace workshop-ada-lovelace is there already" in made.stderr


def test_learners_may_reach_the_api_at_another_address(kubelab, cluster, tmp_path):
    cluster.put("/api/v1/namespaces/default/configmaps/kube-root-ca.crt", "ConfigMap", data={"ca.crt": "of the inside"})
    authorities = {}
    for server in ("https://kubernetes.default.svc", "https://api.example.test"):
        assert kubelab("create", "--learners", "names.csv", "--server", server, "--out", "here").exit_code == 0
        config = yaml.safe_load((tmp_path / "here" / "ada-lovelace.kubeconfig").read_text())
        at = config["clusters"][0]["cluster"]
        authorities[at["server"]] = base64.b64decode(at["certificate-authority-data"]).decode()
    assert authorities == {
        "https://kubernetes.default.svc": "of the inside",
        "https://api.example.test": "-----BEGIN CERTIFICATE-----\n",
    }


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (("create", "--learners", "nothing.csv"), "nothing.csv cannot be read"),
        (("create", "--learners", "names.csv", "--workshop", "Big One"), "cannot be a workshop's name"),
        (("status",), "There is no workshop 'workshop'"),
        (("status", "--json", "--watch"), "give one of them"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_status(kubelab, argv, sentence):
    done = kubelab(*argv)
    assert done.exit_code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_kubeconfig_it_is_said_where_one_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    done = CliRunner().invoke(workshop, ["status"])
    assert done.exit_code == 1
    assert "There is no kubeconfig" in done.stderr
    assert "--kubeconfig" in done.stderr
