"""On a real API server that limits the account to one namespace: lessons work there, and nothing else is touched."""

import kubernetes.client
import pytest
from kubernetes import config

from kubelab import connect
from kubelab.clusters import find
from kubelab.clusters.base import ClusterError
from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.course.catalogue import lesson
from kubelab.lab.errors import LabError, Lacking
from tools.parity.shared import share

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "python:3.12", command: [python3, -m, http.server, "8080"], ports: [{containerPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""


@pytest.fixture(scope="module")
def somebodys(tmp_path_factory):
    """A cluster of somebody's, the kubeconfig of its administrator, and one for a learner's namespace."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("somebody")
        patch.setenv("KUBELAB_HOME", str(folder / "home"))
        patch.delenv("KUBELAB_ON", raising=False)
        engine = EmbeddedCluster("somebodys")
        engine.up()
        try:
            assert share(engine.kubeconfig, "team-blue", folder / "learner.yaml")
            yield engine, folder / "learner.yaml"
        finally:
            engine.down()


@pytest.fixture
def lab(somebodys, monkeypatch):
    engine, kubeconfig = somebodys
    for name, value in {
        "KUBELAB_HOME": str(engine.state.root.parent),
        "KUBECONFIG": str(kubeconfig),
        "KUBELAB_NAME": "mine",
        "KUBELAB_ON": "existing",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("KUBELAB_NAMESPACE", "KUBELAB_CONTEXT", "KUBELAB_IMAGE"):
        monkeypatch.delenv(name, raising=False)
    yield connect("lesson-9")
    find("mine").down()


@pytest.fixture
def admin(somebodys):
    with config.new_client_from_config(str(somebodys[0].kubeconfig)) as client:
        yield kubernetes.client.CoreV1Api(client)


def test_a_lesson_works_in_the_one_namespace_and_leaves_it_as_it_was(lab, admin):
    admin.create_namespaced_config_map("team-blue", {"metadata": {"name": "theirs"}, "data": {"a": "1"}})
    lab.apply(WEB)
    lab.wait("deployment/web")
    lab.wait("service/web", "answers")
    assert lab.probe("web.lesson-9", n=5).success == 1
    assert lab.lookup("web.lesson-9.svc.cluster.local.").sentence == "Service web"
    assert len(admin.list_namespaced_pod("team-blue", label_selector="app=web").items) == 2
    with pytest.raises(LabError, match="kubelab did not make"):
        lab.delete("configmap/theirs")
    lab.reset()
    assert not admin.list_namespaced_pod("team-blue").items
    lab.apply(WEB)
    find("mine").down()
    assert not admin.list_namespaced_pod("team-blue").items
    assert [each.metadata.name for each in admin.list_namespaced_config_map("team-blue").items] == [
        "kube-root-ca.crt", "theirs",
    ]  # fmt: skip


def test_what_the_account_may_not_do_is_found_by_asking(lab):
    lacks = find("mine").lacks
    assert lacks["several nodes"] == "you may not list its nodes"
    assert "ingress" not in lacks, "tried: its IngressClasses may not be seen"
    with pytest.raises(Lacking, match=r"^Skipped: Lesson 8 needs outside client and several nodes"):
        lesson(8).require(lab)


def test_another_namespace_is_refused_with_the_rights_that_are_missing(lab):
    from kubelab.clusters.existing.cluster import Asked, ExistingCluster

    with pytest.raises(ClusterError, match=r"Your rights in the namespace team-red do not suffice.*create pods"):
        ExistingCluster("other", Asked(namespace="team-red")).up()
