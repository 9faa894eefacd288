"""Attaching to a namespace of somebody's cluster, what is refused there, and what is taken away again."""

import stat

import pytest
import yaml

from kubelab.clusters import find
from kubelab.clusters.base import ClusterError, Lacking
from kubelab.clusters.existing.access import NotAccepted
from kubelab.clusters.existing.cluster import ExistingCluster
from tests.clusters.existing.conftest import NAMESPACE, kubeconfig

LABELLED = {"app.kubernetes.io/managed-by": "kubelab"}


def test_it_is_found_by_its_name_in_the_contexts_namespace(make):
    make().up()
    cluster = find("classroom")
    assert isinstance(cluster, ExistingCluster)
    assert cluster.namespace == "team-blue"
    assert cluster.status() == (True, "Kubernetes v1.36.2, namespace team-blue of the context classroom")


def test_its_kubeconfig_has_the_one_context_and_is_private(make):
    make(namespace="team-blue").up()
    file = find("classroom").kubeconfig
    written = yaml.safe_load(file.read_text())
    assert written["current-context"] == "classroom"
    assert written["contexts"][0]["context"]["namespace"] == "team-blue"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_renewed_token_is_taken_over_with_the_next_up(make, mine):
    make().up()
    mine.write_text(kubeconfig(namespace="team-blue").replace("secret", "renewed"))
    find("classroom").up()
    assert "renewed" in find("classroom").kubeconfig.read_text()


def test_what_it_lacks_is_told_with_the_reason_and_never_guessed(make, there):
    make().up()
    lacks = find("classroom").lacks
    assert lacks["several nodes"] == "you may not list its nodes"
    assert lacks["ingress"] == "it has no IngressClass: no ingress controller is there"
    assert find("classroom").capabilities == frozenset()
    there.denied.discard("list nodes")
    there.classes = ["kubelab"]
    find("classroom").up()
    assert find("classroom").capabilities == {"several nodes", "ingress", "gateway api"}


def test_a_node_has_a_name_and_no_shell_and_where_there_are_none_it_says_so(make, there):
    make().up()
    with pytest.raises(Lacking, match=r"^Skipped: you may not see the nodes"):
        find("classroom").nodes()
    with pytest.raises(Lacking, match=r"^Skipped: "):
        find("classroom").outside  # noqa: B018
    there.denied.discard("list nodes")
    find("classroom").up()
    one, _ = find("classroom").nodes()
    with pytest.raises(Lacking, match=r"`iptables-save` was not run: kubelab has no shell"):
        one.run(["iptables-save"])


def test_missing_rights_are_named_all_at_once_and_nothing_is_remembered(make, there):
    there.denied |= {"create pods/exec", "list services"}
    with pytest.raises(ClusterError, match=r"you may not create pods/exec, list services; ask for the role `edit`"):
        make().up()
    assert not make().state.root.exists()


def test_a_namespace_that_lets_no_such_pods_in_is_told_before_a_lesson_waits_for_them(make, there):
    there.pod_is_refused = 'violates PodSecurity "restricted:latest"'
    with pytest.raises(ClusterError, match=r"does not let the lessons' pods in: violates PodSecurity"):
        make().up()


def test_a_namespace_that_is_not_there_is_made_only_when_that_is_asked_for_and_allowed(make, there):
    with pytest.raises(ClusterError, match=r"There is no namespace 'mine'.*--create-namespace"):
        make(namespace="mine").up()
    with pytest.raises(ClusterError, match="You may not make namespaces"):
        make(namespace="mine", create_namespace=True).up()
    there.denied.discard("create namespaces")
    make(namespace="mine", create_namespace=True).up()
    assert there.objects["/api/v1/namespaces/mine"]["metadata"]["labels"] == LABELLED
    find("classroom").down()
    assert "/api/v1/namespaces/mine" not in there.objects


def test_a_namespace_that_was_made_stays_with_what_others_have_put_there(make, there):
    there.denied.discard("create namespaces")
    make(namespace="mine", create_namespace=True).up()
    there.put("/api/v1/namespaces/mine/configmaps", "kube-root-ca.crt")
    there.put("/api/v1/namespaces/mine/persistentvolumeclaims", "theirs")
    find("classroom").down()
    assert "/api/v1/namespaces/mine/persistentvolumeclaims/theirs" in there.objects


def test_what_looks_like_production_is_refused_until_it_is_meant(make, there, mine):
    mine.write_text(kubeconfig(name="shop-prod", namespace="team-blue"))
    with pytest.raises(ClusterError, match=r"looks like production \(the context's name shop-prod\).*--yes`"):
        make().up()
    make(trusted=True).up()
    find("classroom").up()  # it stays meant
    assert find("classroom").status().running


def test_others_workloads_are_refused_until_that_is_meant_and_are_left_alone(make, there):
    there.put(f"{NAMESPACE}/pods", "db-0", ownerReferences=[{"kind": "StatefulSet"}])
    there.put(f"{NAMESPACE}/services", "db")
    there.put(f"{NAMESPACE}/services", "web", LABELLED)
    with pytest.raises(ClusterError, match=r"what kubelab did not make \(service/db\)"):
        make().up()
    make(trusted=True).up()
    find("classroom").reset()
    assert f"{NAMESPACE}/services/db" in there.objects
    assert f"{NAMESPACE}/services/web" not in there.objects


def test_a_workshops_namespace_was_made_for_the_course_whatever_is_in_it(make, there, mine):
    mine.write_text(kubeconfig(name="shop-prod", namespace="team-blue"))
    there.objects[NAMESPACE]["metadata"]["labels"] = {"kubelab.dev/workshop": "tuesday"}
    there.put(f"{NAMESPACE}/services", "own-try")
    make().up()
    assert find("classroom").status().running


def test_down_takes_what_is_labelled_and_forgets_the_cluster_but_not_a_namespace_that_was_there(make, there):
    make().up()
    there.put(f"{NAMESPACE}/configmaps", "server", LABELLED)
    there.put(f"{NAMESPACE}/configmaps", "theirs")
    find("classroom").down()
    assert set(there.objects) == {NAMESPACE, f"{NAMESPACE}/configmaps/theirs"}
    assert not make().state.root.exists()
    find("classroom", on="existing").down()


def test_when_nobody_is_let_in_any_more_down_forgets_the_cluster_and_says_so(make, there, monkeypatch):
    make().up()

    def over(*_):
        raise NotAccepted("The cluster does not accept these credentials.")

    monkeypatch.setattr(there, "ask", over)
    with pytest.raises(ClusterError, match=r"is forgotten, but nobody could look .* its namespace team-blue"):
        find("classroom").down()
    assert not make().state.root.exists()
    find("classroom", on="existing").down()


@pytest.mark.parametrize(("namespace", "why"), [("kube-system", "the cluster's own"), ("test", "DNS names"),
                                                ("default", "everybody's")])  # fmt: skip
def test_a_namespace_that_cannot_be_a_learners_is_refused(make, there, namespace, why):
    there.objects[f"/api/v1/namespaces/{namespace}"] = {"metadata": {"name": namespace}}
    with pytest.raises(ClusterError, match=why):
        make(namespace=namespace).up()


def test_a_name_that_stands_for_one_namespace_does_not_silently_become_another(make):
    make().up()
    with pytest.raises(ClusterError, match="is the namespace 'team-blue' already"):
        make(namespace="team-red").up()


def test_the_environment_is_enough_in_a_workshop(make, monkeypatch, there):
    there.objects["/api/v1/namespaces/team-red"] = {"metadata": {"name": "team-red"}}
    monkeypatch.setenv("KUBELAB_ON", "existing")
    monkeypatch.setenv("KUBELAB_NAMESPACE", "team-red")
    monkeypatch.setenv("KUBELAB_IMAGE", "registry.example/python:3.12")
    cluster = find("classroom")
    cluster.up()
    assert (cluster.namespace, cluster.image) == ("team-red", "registry.example/python:3.12")
