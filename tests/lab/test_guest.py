"""A lab as a guest: the lesson's names inside, the guest's outside, and nothing of others touched."""

import json

import pytest

from kubelab.lab.errors import ApiError, CannotRun, LabError, Lacking
from kubelab.lab.guest import GuestApi, Renaming
from kubelab.lab.lab import Lab
from kubelab.lab.testing import FakeApi, FakeCluster

PODS = "/api/v1/namespaces/lesson-6/pods"
OWN_PODS = "/api/v1/namespaces/team-blue/pods"
LABEL = "app.kubernetes.io/managed-by"

DEPLOYMENT = """
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
      - {name: web, image: "python:3.12", env: [{name: TARGET, value: "http://api.lesson-6:80"}]}
"""


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def guest(api):
    return GuestApi(api, "lesson-6", "team-blue", stand_in="registry.example/python:3.12")


@pytest.fixture
def lab(guest):
    cluster = FakeCluster()
    cluster.namespace = "team-blue"
    return Lab(cluster, guest, "lesson-6")


def stored(api, path):
    return api.objects[path]


def stranger(api, kind="configmaps", name="theirs", labels=None):
    api.objects[f"/api/v1/namespaces/team-blue/{kind}/{name}"] = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team-blue", "labels": labels},
        "data": {"a": "1"},
    }  # fmt: skip


class TestNames:
    def test_what_a_lesson_makes_is_in_the_guests_namespace_under_its_own_name(self, lab, api):
        lab.apply(DEPLOYMENT)
        made = stored(api, "/apis/apps/v1/namespaces/team-blue/deployments/web")
        container = made["spec"]["template"]["spec"]["containers"][0]
        assert made["metadata"]["namespace"] == "team-blue"
        assert container["env"][0]["value"] == "http://api.team-blue:80"
        assert container["image"] == "registry.example/python:3.12"

    def test_what_comes_back_is_in_the_lessons_words(self, lab):
        lab.apply(DEPLOYMENT)
        found = lab.get("deployment/web")
        container = found["spec"]["template"]["spec"]["containers"][0]
        assert found["metadata"]["namespace"] == "lesson-6"
        assert (container["env"][0]["value"], container["image"]) == ("http://api.lesson-6:80", "python:3.12")
        assert repr(lab) == "Lab(lesson-6)"

    def test_an_object_that_was_applied_once_is_unchanged_the_second_time(self, lab):
        assert [change for _, change in lab.apply(DEPLOYMENT).changes] == ["created"]
        assert [change for _, change in lab.apply(DEPLOYMENT).changes] == ["unchanged"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("web.team-blue.svc.cluster.local.", "web.lesson-6.svc.cluster.local."),
            ("search team-blue.svc.cluster.local svc", "search lesson-6.svc.cluster.local svc"),
            ("Host: web.team-blue", "Host: web.lesson-6"),
            ("Prefix /cart is served as Ingress team-blue/shop", "Prefix /cart is served as Ingress lesson-6/shop"),
            ('pods is forbidden in the namespace "team-blue"', 'pods is forbidden in the namespace "lesson-6"'),
            ("no Service crat in namespace team-blue (spec)", "no Service crat in namespace lesson-6 (spec)"),
            ("the team-blue flag", "the team-blue flag"),
            ("web.team-blue-2.svc", "web.team-blue-2.svc"),
            ("my-team-blue.svc", "my-team-blue.svc"),
        ],
    )  # fmt: skip
    def test_a_namespace_is_renamed_where_it_is_one(self, text, said):
        assert Renaming({"team-blue": "lesson-6"}, {}).text(text) == said

    def test_a_watch_is_renamed_event_by_event(self, guest, api):
        event = {"type": "ADDED", "object": {"metadata": {"name": "web-1", "namespace": "team-blue"}}}
        api.told[OWN_PODS] = [json.dumps(event)]
        (line,) = guest.lines(PODS)
        assert json.loads(line)["object"]["metadata"]["namespace"] == "lesson-6"

    def test_a_log_is_renamed_and_otherwise_word_for_word(self, guest, api):
        api.told[f"{OWN_PODS}/web-1/log"] = ['{"type":1,"to":"web.team-blue"}', "", "plain"]
        assert list(guest.lines(f"{PODS}/web-1/log")) == ['{"type":1,"to":"web.lesson-6"}', "", "plain"]

    def test_an_error_is_told_in_the_lessons_words(self, guest, api, monkeypatch):
        def refuse(*_):
            raise ApiError(403, "Forbidden", 'pods is forbidden in the namespace "team-blue"')

        monkeypatch.setattr(api, "request", refuse)
        with pytest.raises(ApiError, match='in the namespace "lesson-6"'):
            guest.request("GET", PODS)


class TestManners:
    def test_everything_made_carries_the_label_and_templates_look_as_they_were_written(self, lab, api):
        lab.apply(DEPLOYMENT)
        made = stored(api, "/apis/apps/v1/namespaces/team-blue/deployments/web")
        assert made["metadata"]["labels"][LABEL] == "kubelab"
        assert made["spec"]["template"]["metadata"]["labels"] == {"app": "web", LABEL: "kubelab"}
        assert lab.get("deployment/web")["spec"]["template"]["metadata"]["labels"] == {"app": "web"}
        lab.set_env("deployment/web", MORE="1")
        assert stored(api, "/apis/apps/v1/namespaces/team-blue/deployments/web")["spec"]["template"]["metadata"][
            "labels"
        ] == {"app": "web", LABEL: "kubelab"}

    def test_an_object_of_others_is_neither_changed_nor_deleted(self, lab, api):
        stranger(api)
        with pytest.raises(LabError, match="'theirs' that kubelab did not make, and it is not changed"):
            lab.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}, "data": {"a": "2"}})
        with pytest.raises(LabError, match="it is not deleted"):
            lab.delete("configmap/theirs")
        assert stored(api, "/api/v1/namespaces/team-blue/configmaps/theirs")["data"] == {"a": "1"}

    def test_a_reset_leaves_others_objects_alone(self, lab, api):
        stranger(api)
        lab.apply(DEPLOYMENT)
        lab.reset()
        assert "/api/v1/namespaces/team-blue/configmaps/theirs" in api.objects
        assert "/apis/apps/v1/namespaces/team-blue/deployments/web" not in api.objects

    def test_what_a_workshop_laid_out_may_be_written_into_and_not_deleted(self, guest, api):
        stranger(api, name="slip", labels={LABEL: "kubelab-workshop"})
        path = "/api/v1/namespaces/lesson-6/configmaps/slip"
        slip = guest.request("GET", path)
        guest.request("PUT", path, body={**slip, "data": {"progress": "{}"}})
        own = stored(api, "/api/v1/namespaces/team-blue/configmaps/slip")
        assert (own["data"], own["metadata"]["labels"]) == ({"progress": "{}"}, {LABEL: "kubelab-workshop"})
        with pytest.raises(LabError, match="not deleted"):
            guest.request("DELETE", path)

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/v1/namespaces"),
            ("DELETE", "/api/v1/namespaces/lesson-6"),
            ("POST", "/api/v1/namespaces/lesson-6-next-door/pods"),
            ("DELETE", "/api/v1/namespaces/kube-system/pods/coredns"),
            ("POST", "/apis/gateway.networking.k8s.io/v1/gatewayclasses"),
        ],
    )
    def test_outside_its_namespace_it_does_nothing(self, guest, api, method, path):
        with pytest.raises(Lacking, match=r"^Skipped: "):
            guest.request(method, path, body={"metadata": {"name": "x"}})
        assert api.requests == []

    @pytest.mark.parametrize("labels", [{}, {LABEL: "helm"}])
    def test_no_command_runs_in_a_pod_of_others(self, guest, api, labels):
        pod = {"kind": "Pod", "metadata": {"name": "db-0", "namespace": "team-blue", "labels": labels}}
        api.objects[f"{OWN_PODS}/db-0"] = pod
        with pytest.raises(LabError, match="a pod 'db-0' that kubelab did not make, and no command is run in it"):
            guest.run("lesson-6", "db-0", ["true"])
        pod["metadata"]["labels"] = {LABEL: "kubelab"}
        guest.run("lesson-6", "db-0", ["true"]).close()
        with pytest.raises(CannotRun, match="it does not exist"):
            guest.run("lesson-6", "db-1", ["true"])

    def test_no_command_runs_in_another_namespace(self, guest):
        with pytest.raises(Lacking, match="a namespace beside the one that you have"):
            guest.run("kube-system", "coredns", ["true"])

    def test_a_second_namespace_of_the_lesson_that_may_not_be_looked_into_is_lacking(self, guest, api, monkeypatch):
        def refuse(method, path, *_):
            raise ApiError(403, "Forbidden", "User cannot get resource")

        monkeypatch.setattr(api, "request", refuse)
        with pytest.raises(Lacking, match=r"beside the one that you have on this cluster \(team-blue\)"):
            guest.request("GET", "/api/v1/namespaces/lesson-6-platform/pods/web")
        for path in (f"{PODS}/web", "/api/v1/namespaces/kubelab-ingress/services/envoy"):
            with pytest.raises(ApiError, match="cannot get"):
                guest.request("GET", path)

    def test_a_whole_collection_is_deleted_by_the_label_only(self, guest):
        with pytest.raises(LabError, match="not deleted where others' may be"):
            guest.request("DELETE", PODS, {"labelSelector": "app=web"})
