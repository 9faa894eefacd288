import pytest

from kubelab.lab.errors import ApiError, BadManifest, LabError, NotFound, TimedOut
from kubelab.lab.testing import fake_lab

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: python:3.12
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
  ports:
  - port: 80
"""


@pytest.fixture
def lab():
    return fake_lab()


def test_applying_says_what_became_of_each_object(lab):
    assert repr(lab.apply(DEPLOYMENT + "---" + SERVICE)) == "Applied(deployment/web created, service/web created)"
    assert repr(lab.apply(SERVICE)) == "Applied(service/web unchanged)"
    assert repr(lab.apply(SERVICE.replace("port: 80", "port: 81"))) == "Applied(service/web configured)"


@pytest.mark.parametrize("done", [True, False], ids=["although it was done", "before it was done"])
def test_applying_goes_on_after_a_lost_answer_and_says_what_was_done(lab, monkeypatch, done):
    monkeypatch.setattr("kubelab.lab.objects._PAUSE_SECONDS", 0)
    answer, lost = lab.api.request, {"POST", "PUT"}

    def request(method, path, query=None, body=None):
        if method not in lost or "/services" not in path:
            return answer(method, path, query, body)
        lost.remove(method)
        if done:
            answer(method, path, query, body)
            stored = lab.api.objects["/api/v1/namespaces/lesson/services/web"]
            stored["spec"]["ports"].append({"name": "added", "port": 9})  # by the server, to a list that we replace
        raise ApiError(504, "Timeout", "request did not complete within requested timeout")

    monkeypatch.setattr(lab.api, "request", request)
    assert repr(lab.apply(SERVICE)) == "Applied(service/web created)"
    assert repr(lab.apply(SERVICE.replace("port: 80", "port: 81"))) == "Applied(service/web configured)"
    assert not lost


def test_what_is_applied_lands_in_the_lessons_namespace_with_our_label(lab):
    lab.apply(SERVICE)
    metadata = lab.get("service/web")["metadata"]
    assert metadata["namespace"] == "lesson"
    assert metadata["labels"]["app.kubernetes.io/managed-by"] == "kubelab"


def test_a_field_taken_out_of_the_manifest_goes_away_and_an_allocated_one_stays(lab):
    lab.apply(SERVICE.replace("spec:", "spec:\n  sessionAffinity: ClientIP"))
    address = lab.get("service/web")["spec"]["clusterIP"]
    lab.apply(SERVICE)
    assert "sessionAffinity" not in lab.get("service/web")["spec"]
    assert lab.get("service/web")["spec"]["clusterIP"] == address


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (SERVICE.replace("kind: Service", "kind: Servise"), "no kind 'Servise' in v1; did you mean 'Service'?"),
        (DEPLOYMENT.replace("apps/v1", "v1"), "A Deployment has apiVersion: apps/v1, not v1"),
        (SERVICE.replace("name: web", "name: web\n  namespace: other"), r"'other' \(line 22\).*lives in 'lesson'"),
    ],
)
def test_a_manifest_that_cannot_be_applied_changes_nothing(lab, manifest, said):
    with pytest.raises(BadManifest, match=said):
        lab.apply(DEPLOYMENT + "---" + manifest)
    assert not lab.pods()


def test_an_object_that_is_not_there_is_the_apis_404(lab):
    with pytest.raises(NotFound, match="not found"):
        lab.get("service/web")
    assert lab.find_one("service/web") is None


def test_only_the_code_404_says_that_something_is_not_there():
    assert type(ApiError(404, "NotFound", "no")) is NotFound
    assert type(ApiError(403, "Forbidden", "no")) is ApiError


@pytest.mark.parametrize(("what", "said"), [("web", "kind/name"), ("servise/web", "did you mean 'service'")])
def test_an_object_must_be_named_by_kind_and_name(lab, what, said):
    with pytest.raises(LabError, match=said):
        lab.get(what)


def test_a_pod_is_deleted_by_its_alias(lab):
    lab.apply(DEPLOYMENT)
    lab.pods()
    assert repr(lab.delete("pod/web-1")) == "Deleted(1 pod)"
    assert [pod.alias for pod in lab.pods("app=web")] == ["web-2", "web-3", "web-4"]


def test_deleting_by_labels_takes_them_all(lab):
    lab.apply(DEPLOYMENT)
    assert repr(lab.delete("app=web")) == "Deleted(3 pods)"
    assert [pod.alias for pod in lab.pods("app=web")] == ["web-4", "web-5", "web-6"]
    assert repr(lab.delete("deployment/web")) == "Deleted(deployment/web)"
    assert repr(lab.delete("deployment/web")) == "Deleted(no objects)"


def test_a_reset_leaves_an_empty_namespace_and_numbers_pods_from_one_again(lab):
    lab.apply(DEPLOYMENT + "---" + SERVICE)
    lab.pods()
    lab.reset()
    assert not lab.pods()
    with pytest.raises(ApiError):
        lab.get("service/web")
    lab.apply(DEPLOYMENT)
    assert lab.pods()[0].alias == "web-1"


def test_scaling_and_restarting_wait_until_it_is_done(lab):
    lab.apply(DEPLOYMENT)
    lab.scale("deployment/web", 1)
    assert len(lab.pods("app=web")) == 1
    before = lab.pods("app=web")[0].uid
    lab.restart("deployment/web")
    assert lab.pods("app=web")[0].uid != before


def test_waiting_for_what_never_comes_says_what_there_was(lab):
    with pytest.raises(TimedOut, match="last seen: there is no Deployment 'web'"):
        lab.wait("deployment/web", "available", timeout=0)
    with pytest.raises(TimedOut, match="service/web has no endpoints after 0 s; last seen: 0 ready of 0"):
        lab.wait("service/web", "endpoints", timeout=0)


def test_a_service_answers_only_when_requests_to_it_arrive(lab):
    with pytest.raises(TimedOut, match="service/web does not answer after 0 s; last seen: 0 ready of 0"):
        lab.wait("service/web", "answers", timeout=0)
    lab.apply(DEPLOYMENT + "---" + SERVICE)
    lab.wait("service/web", "answers")


def test_a_probe_by_name_is_answered_by_every_pod(lab):
    lab.apply(DEPLOYMENT + "---" + SERVICE)
    seen = lab.probe("web", n=60)
    assert repr(seen) == "Traffic(60 requests: 100% answered by 3 pods)"
    assert seen.fair(pods=3)
    assert set(seen.names) == {"web-1", "web-2", "web-3"}


def test_a_probe_of_a_pod_goes_to_its_address_and_dies_with_it(lab):
    lab.apply(DEPLOYMENT)
    pod = lab.pods("app=web")[0]
    assert repr(lab.probe(pod, n=5)) == "Traffic(5 requests: 100% answered by web-1)"
    lab.delete(pod)
    assert repr(lab.probe(pod, n=5)) == "Traffic(5 requests: none answered)"


def test_a_name_without_a_service_is_an_error_of_dns(lab):
    assert lab.probe("nobody", n=2).errors == {"DNS": 2}


def test_a_probe_from_outside_does_not_start_in_the_cluster(lab):
    assert lab.probe("http://10.96.0.9/", n=2, source="outside").errors == {"refused": 2}
    assert not lab.pods()


def test_a_source_that_does_not_exist_is_said_so(lab):
    with pytest.raises(LabError, match="no pod 'web-9'"):
        lab.probe("web", source="web-9")


@pytest.mark.parametrize(
    ("target", "path", "url"),
    [
        ("http://shop.example/x", "", "http://shop.example/x"),
        ("web:8080/hostname", "", "http://web:8080/hostname"),
        ("10.244.1.3", "/x", "http://10.244.1.3:80/x"),
        ("web", "", "http://web:80/"),
    ],
)
def test_a_target_is_turned_into_a_url(lab, target, path, url):
    assert lab._prober.url(target, path) == url


def test_a_services_own_port_is_used_when_none_is_given(lab):
    lab.apply(SERVICE.replace("port: 80", "port: 8123"))
    assert lab._prober.url("web", "") == "http://web:8123/"


def test_events_show_pods_by_their_aliases(lab):
    lab.apply(DEPLOYMENT)
    name = lab.pods("app=web")[0].name
    lab.api.objects["/api/v1/namespaces/lesson/events/e1"] = {
        "metadata": {"name": "e1"},
        "involvedObject": {"kind": "Pod", "name": name},
        "type": "Normal",
        "reason": "Started",
        "message": "Started container web",
    }
    assert repr(lab.events("pod/web-1")) == "pod/web-1: Started: Started container web"
    assert len(lab.events("pod/web-2")) == 0


def test_a_namespace_that_is_not_ours_keeps_what_is_not_ours(lab):
    lab.api.objects["/api/v1/namespaces/lesson"] = {"metadata": {"name": "lesson"}}
    lab.api.request("POST", "/api/v1/namespaces/lesson/services", body={"metadata": {"name": "theirs"}, "spec": {}})
    lab.apply(SERVICE)
    lab.reset()
    assert [service["metadata"]["name"] for service in lab.find("services")] == ["theirs"]


def test_a_namespace_on_its_way_out_is_waited_for(lab, monkeypatch):
    phases = iter(["Terminating", "Terminating", ""])
    monkeypatch.setattr(lab.objects, "_namespace_phase", lambda: next(phases))
    monkeypatch.setattr("kubelab.lab.waiting.POLL_SECONDS", 0)
    lab.apply(SERVICE)
    assert ("POST", "/api/v1/namespaces") in lab.api.requests


def test_a_new_namespace_is_one_in_which_pods_can_be_made(lab, monkeypatch):
    answer, asked = lab.api.request, []

    def request(method, path, query=None, body=None):
        if path.endswith("/serviceaccounts/default"):
            asked.append(method)
            if len(asked) < 3:
                raise ApiError(404, "NotFound", 'serviceaccounts "default" not found')
        return answer(method, path, query, body)

    monkeypatch.setattr(lab.api, "request", request)
    monkeypatch.setattr("kubelab.lab.waiting.POLL_SECONDS", 0)
    lab.api.objects.pop("/api/v1/namespaces/lesson", None)
    lab.apply(SERVICE)
    assert asked == ["GET"] * 3
