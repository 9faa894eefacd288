"""Two learners of a workshop on the embedded engine: neither sees, touches or reaches what is the other's."""

from __future__ import annotations

import json
import subprocess
import uuid
from datetime import UTC, datetime

import pytest

from kubelab.clusters.embedded import EmbeddedCluster
from kubelab.grading.history import Standing
from kubelab.grading.report import Report, Reporter, TaskReport
from kubelab.lab.api import KubeconfigApi
from kubelab.lab.errors import ApiError
from kubelab.lab.lab import Lab
from kubelab.lab.waiting import Seen, until
from kubelab.workshop.access import open_cluster
from kubelab.workshop.deleting import delete, doomed
from kubelab.workshop.facts import ask
from kubelab.workshop.handout import Handout
from kubelab.workshop.making import make
from kubelab.workshop.plan import Plan
from kubelab.workshop.roster import Learner
from kubelab.workshop.status import look

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

PLAN = Plan("class")
ADA, GRACE = Learner("Ada Lovelace", "ada"), Learner("Grace Hopper", "grace")
OTHERS = "/namespaces/class-grace"
SERVE = """
from http.server import BaseHTTPRequestHandler, HTTPServer
class Here(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"here")
HTTPServer(("", 8080), Here).serve_forever()
"""
FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=float(sys.argv[2])).read().decode())"


class Existing:
    """What a learner's lab knows of the cluster."""

    provider = "existing"


class Workshop:
    """The cluster, the instructor's access to it and the learners' own."""

    def __init__(self, cluster, folder):
        self.access = open_cluster(cluster.kubeconfig)
        self.facts = ask(self.access)
        self.made = self.make()
        self.given = Handout(folder).give(self.access, PLAN, self.made, 3600)
        self.ada, self.grace = (KubeconfigApi(each.file) for each in self.given)

    def make(self):
        return make(self.access, PLAN, self.facts, [ADA, GRACE])

    def kubectl(self, *argv, stdin=""):
        """As Ada."""
        command = ["kubectl", "--kubeconfig", str(self.given[0].file), *argv]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    name = f"workshop-{uuid.uuid4().hex[:6]}"
    cluster = EmbeddedCluster(name)
    try:
        cluster.up()
        yield Workshop(cluster, tmp_path_factory.mktemp("handout"))
    finally:
        cluster.down()


def refused(api, method, path, body=None):
    with pytest.raises(ApiError) as caught:
        api.request(method, path, body=body)
    return caught.value


def pod(name, where):
    container = {
        "name": "server", "image": "python:3.12", "command": ["python3", "-c", SERVE],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }  # fmt: skip
    metadata = {"name": name, "namespace": where, "labels": {"app": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def configmap(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def test_everything_is_made_and_a_second_run_has_nothing_to_do(workshop):
    assert [each.problem for each in workshop.made] == ["", ""]
    assert [each.changes for each in workshop.make()] == [{}, {}]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/api/v1{OTHERS}"),
        ("GET", f"/api/v1{OTHERS}/pods"),
        ("GET", f"/api/v1{OTHERS}/secrets"),
        ("GET", f"/api/v1{OTHERS}/configmaps/kubelab-workshop"),
        ("GET", f"/apis/networking.k8s.io/v1{OTHERS}/ingresses"),
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/pods"),
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/configmaps"),
        ("DELETE", f"/api/v1{OTHERS}/configmaps/kubelab-workshop"),
        ("DELETE", f"/api/v1{OTHERS}"),
    ],
)
def test_what_is_anothers_cannot_be_seen_or_touched(workshop, method, path):
    assert refused(workshop.ada, method, path).status == 403


def test_nothing_can_be_made_at_anothers(workshop):
    assert refused(workshop.ada, "POST", f"/api/v1{OTHERS}/configmaps", configmap("mine")).status == 403
    token = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    for where in ("class-grace", "class-ada"):
        path = f"/api/v1/namespaces/{where}/serviceaccounts/learner/token"
        assert refused(workshop.ada, "POST", path, token).status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v1/namespaces/class-ada/resourcequotas/kubelab-workshop"),
        ("DELETE", "/api/v1/namespaces/class-ada/limitranges/kubelab-workshop"),
        ("DELETE", "/apis/networking.k8s.io/v1/namespaces/class-ada/networkpolicies/kubelab-workshop"),
        ("DELETE", "/apis/rbac.authorization.k8s.io/v1/namespaces/class-ada/rolebindings/kubelab-workshop"),
        ("DELETE", "/api/v1/namespaces/class-ada"),
        ("PUT", "/api/v1/namespaces/class-ada"),
    ],
)
def test_the_own_limits_cannot_be_lifted(workshop, method, path):
    body = workshop.ada.request("GET", path) if method == "PUT" else None
    assert refused(workshop.ada, method, path, body).status == 403


def test_a_learner_cannot_become_somebody_else(workshop):
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "mine"},
            "subjects": [{"kind": "ServiceAccount", "name": "learner", "namespace": "class-ada"}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}}  # fmt: skip
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/class-ada/rolebindings"
    assert refused(workshop.ada, "POST", path, role).status == 403


def test_the_same_names_are_two_things(workshop):
    for api, where in ((workshop.ada, "class-ada"), (workshop.grace, "class-grace")):
        made = api.request("POST", f"/api/v1/namespaces/{where}/configmaps", body=configmap("shop"))
        assert made["metadata"]["namespace"] == where


def test_kubectl_begins_in_the_own_namespace(workshop):
    made = workshop.kubectl("create", "deployment", "front", "--image=python:3.12", "--replicas=0")
    assert made.returncode == 0, made.stderr
    seen = workshop.kubectl("get", "deployments,services,ingresses,networkpolicies,quota", "-o", "name")
    assert "deployment.apps/front" in seen.stdout
    assert seen.returncode == 0, seen.stderr
    assert workshop.kubectl("auth", "can-i", "create", "rolebindings").stdout.strip() == "no"
    assert 'pods is forbidden: User "system:serviceaccount:class-ada:learner" cannot list resource "pods"' in (
        workshop.kubectl("get", "pods", "-n", "class-grace").stderr
    )


def test_who_takes_more_than_the_share_is_stopped_and_nobody_else(workshop):
    path = "/api/v1/namespaces/class-ada/secrets"
    for number in range(60):
        workshop.ada.request("POST", path, body={**configmap(f"own-{number}"), "kind": "Secret"})
    error = refused(workshop.ada, "POST", path, {**configmap("one-too-many"), "kind": "Secret"})
    assert (error.status, "exceeded quota: kubelab-workshop" in str(error)) == (403, True)
    workshop.grace.request("POST", "/api/v1/namespaces/class-grace/secrets",
                           body={**configmap("first"), "kind": "Secret"})  # fmt: skip


def ingress(name, *hosts, **spec):
    paths = [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "shop", "port": {"number": 80}}}}]
    rules = [{**({"host": host} if host else {}), "http": {"paths": paths}} for host in hosts]
    spec |= {"rules": rules} if rules else {}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}


def test_nobody_takes_the_host_of_somebody_else(workshop):
    ada, grace = (PLAN.host(each) for each in (ADA, GRACE))
    refusal = (
        "ValidatingAdmissionPolicy 'kubelab-workshop-class-guard' with binding 'kubelab-workshop-class-guard' denied "
        f"request: all learners share one Ingress controller: every rule needs your host, {ada}, or one below it"
    )
    everything = {"defaultBackend": {"service": {"name": "shop", "port": {"number": 80}}}}
    stolen = {"tls": [{"hosts": [grace], "secretName": "x"}]}
    for wrong in (ingress("x", grace), ingress("x", ada, f"shop.{grace}"), ingress("x", ""), ingress("x", **everything),
                  ingress("x", f"not{ada}"), ingress("x", ada, **stolen)):  # fmt: skip
        said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(wrong))
        assert (said.returncode, refusal in said.stderr) == (1, True), said.stderr
    for right in (ingress("own", ada), ingress("below", f"shop.{ada}")):
        said = workshop.kubectl("apply", "-f", "-", stdin=json.dumps(right))
        assert said.returncode == 0, said.stderr
    replaced = [{"op": "replace", "path": "/spec/rules/0/host", "value": grace}]
    said = workshop.kubectl("patch", "ingress", "own", "--type=json", "-p", json.dumps(replaced))
    assert refusal in said.stderr
    theirs = "/apis/networking.k8s.io/v1/namespaces/class-grace/ingresses"
    assert workshop.grace.request("POST", theirs, body=ingress("own", grace))["spec"]["rules"][0]["host"] == grace


def test_nobody_takes_packets_by_an_external_address(workshop):
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "thief"},
               "spec": {"ports": [{"port": 80}], "externalIPs": ["172.18.0.1"]}}  # fmt: skip
    said = workshop.kubectl("apply", "-f", "-", stdin=json.dumps(service))
    assert "denied request: external IPs would take others' traffic" in said.stderr
    del service["spec"]["externalIPs"]
    assert workshop.kubectl("apply", "-f", "-", stdin=json.dumps(service)).returncode == 0
    said = workshop.kubectl("patch", "service", "thief", "-p", '{"spec": {"externalIPs": ["172.18.0.1"]}}')
    assert "denied request: external IPs" in said.stderr


def test_nobody_has_another_name_for_somebody_elses_service(workshop):
    for where, allowed in (("class-grace", False), ("class-ada", True)):
        spec = {"type": "ExternalName", "externalName": f"shop.{where}.svc.cluster.local"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "alias"}, "spec": spec}
        said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(service))
        assert ("denied request: an ExternalName that is a Service's name" in said.stderr) is not allowed, said.stderr


def test_nobody_has_a_token_that_outlasts_the_workshop(workshop):
    metadata = {"name": "lasting", "annotations": {"kubernetes.io/service-account.name": "learner"}}
    lasting = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
               "metadata": metadata}  # fmt: skip
    said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(lasting))
    assert "denied request: its token would outlast the workshop" in said.stderr
    wanted = pod("tokens", "class-ada")
    wanted["spec"]["serviceAccountName"] = "learner"
    said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(wanted))
    assert "denied request: the ServiceAccount learner is yours" in said.stderr


def test_nobodys_pods_drive_others_off_their_nodes(workshop):
    wanted = pod("important", "class-ada")
    wanted["spec"]["priorityClassName"] = "system-cluster-critical"
    said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(wanted))
    assert "exceeded quota: kubelab-workshop-priority" in said.stderr


def test_nobody_gets_round_the_own_namespace_by_the_nodes_network(workshop):
    wanted = pod("anywhere", "class-ada")
    wanted["spec"]["hostNetwork"] = True
    said = workshop.kubectl("create", "-f", "-", stdin=json.dumps(wanted))
    assert 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)' in said.stderr


def ways_to(lab, service, pod_ip):
    """The pod's own address, and every other by which it is reached: of its Service, of nodes, of a load balancer."""

    def has_an_address():
        ingress = lab.get(f"service/{service}")["status"]["loadBalancer"].get("ingress")
        return Seen(bool(ingress), "no address")

    until(has_an_address, f"service/{service} has no address", 60)
    lab.wait(f"service/{service}", "endpoints")
    made = lab.get(f"service/{service}")
    node_port = made["spec"]["ports"][0]["nodePort"]
    nodes = [f"172.18.0.{node}:{node_port}" for node in (2, 3, 4)]
    name = f"{service}.{lab.namespace}.svc.cluster.local"
    return [
        f"{pod_ip}:8080",
        made["spec"]["clusterIP"],
        name,
        *nodes,
        made["status"]["loadBalancer"]["ingress"][0]["ip"],
    ]


def test_traffic_arrives_at_ones_own_pods_and_at_nobody_elses(workshop):
    labs = [Lab(Existing(), api, where) for api, where in
            ((workshop.ada, "class-ada"), (workshop.grace, "class-grace"))]  # fmt: skip
    for lab in labs:
        for name in ("asks", "answers"):
            lab.api.request("POST", f"/api/v1/namespaces/{lab.namespace}/pods", body=pod(name, lab.namespace))
    for lab in labs:
        lab.wait("pod/asks", "ready")
        lab.wait("pod/answers", "ready")
    own, others = (lab.get("pod/answers")["status"]["podIP"] for lab in labs)
    defaults = labs[0].get("pod/asks")["spec"]["containers"][0]["resources"]
    assert defaults["limits"] == {"cpu": "500m", "memory": "128Mi"}
    for lab, address in zip(labs, (own, others), strict=True):
        seen = lab.exec("asks", ["python3", "-c", FETCH, f"http://{address}:8080", "10"])
        assert seen.stdout.strip() == "here", seen.stderr
    ports = [{"port": 80, "targetPort": 8080}]
    balanced = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "answers"},
                "spec": {"type": "LoadBalancer", "selector": {"app": "answers"}, "ports": ports}}  # fmt: skip
    labs[1].api.request("POST", "/api/v1/namespaces/class-grace/services", body=balanced)
    for way in ways_to(labs[1], "answers", others):
        kept_out = labs[0].exec("asks", ["python3", "-c", FETCH, f"http://{way}", "2"])
        assert "here" not in kept_out.stdout, way
        assert "timed out" in kept_out.stderr, way


def test_a_report_is_written_with_the_learners_own_rights_and_read_by_one_request(workshop):
    lab = Lab(Existing(), workshop.ada, "class-ada")
    reporter = Reporter()
    report = Report("2027-01-01T12:00:00Z", "1.1", {"1.1": TaskReport(Standing.SOLVED, 2)})
    reporter.send(lab, report).join(30)
    assert reporter.trouble() == ""
    ada, grace = look(workshop.access, "class", datetime.now(UTC)).seats
    assert (ada.name, ada.report) == ("Ada Lovelace", report)
    assert (grace.name, grace.begun) == ("Grace Hopper", False)
    assert [each.changes for each in workshop.make()] == [{}, {}]


def test_deleting_takes_the_workshop_and_leaves_the_rest(workshop):
    """Last: nothing of the workshop is left."""
    api = workshop.access.api
    api.request("POST", "/api/v1/namespaces", body={**configmap("class-of-somebody-else"), "kind": "Namespace"})
    before = {each["metadata"]["name"] for each in api.request("GET", "/api/v1/namespaces")["items"]}
    delete(workshop.access, doomed(workshop.access, "class"))
    after = {each["metadata"]["name"] for each in api.request("GET", "/api/v1/namespaces")["items"]}
    assert before - after == {"class-ada", "class-grace"}
    assert not doomed(workshop.access, "class").objects
    assert refused(workshop.ada, "GET", "/api/v1/namespaces/class-ada/pods").status == 401
