"""Which way a packet takes, asked in a lesson's words and answered in names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubelab.clusters.base import Finished
from kubelab.lab import Lab, LabError
from kubelab.lab.errors import ApiError

TEXTS = Path(__file__).parents[1] / "trace" / "texts"
PODS = {
    "client": ("10.244.2.3", "worker2"),
    "single": ("10.244.1.4", "worker"),
    "web-5d9c-aaaaa": ("10.244.1.3", "worker"),
    "web-5d9c-bbbbb": ("10.244.1.2", "worker"),
    "web-5d9c-ccccc": ("10.244.2.2", "worker2"),
}
SERVICES = {
    "web": {"clusterIP": "10.96.0.20", "ports": [{"name": "http", "port": 80}]},
    "web-udp": {"clusterIP": "10.96.0.21", "ports": [{"port": 81, "protocol": "UDP"}]},
    "sticky": {"clusterIP": "10.96.0.22", "ports": [{"port": 80}]},
    "headless": {"clusterIP": "None", "ports": [{"port": 80}]},
    "elsewhere": {"type": "ExternalName", "externalName": "example.com"},
}


class Api:
    """Pods, Services and nodes of the texts."""

    only_own_namespace = False

    def request(self, method, path, query=None, body=None):
        if self.only_own_namespace and "/namespaces/" not in path:
            raise ApiError(403, "Forbidden", f"{path} may not be listed")
        kind = path.rpartition("/")[2]
        return {"items": {"pods": self.pods, "services": self.services, "nodes": self.nodes}[kind]()}

    def pods(self):
        return [pod(name, ip, f"kubelab-{node}") for name, (ip, node) in PODS.items()]

    def services(self):
        found = [
            {"metadata": {"name": name, "namespace": "default"}, "spec": spec, "status": {}}
            for name, spec in SERVICES.items()
        ]
        balancer = {"loadBalancer": {"ingress": [{"ip": "172.18.255.1"}]}}
        spec = {"clusterIP": "10.96.0.28", "ports": [{"port": 80}]}
        return [*found, {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec, "status": balancer}]

    def nodes(self):
        ips = {"control-plane": 2, "worker": 3, "worker2": 4}
        return [
            {
                "metadata": {"name": f"kubelab-{name}"},
                "spec": {"podCIDR": f"10.244.{ip - 2}.0/24"},
                "status": {"addresses": [{"type": "InternalIP", "address": f"172.18.0.{ip}"}]},
            }
            for name, ip in ips.items()
        ]


def pod(name: str, ip: str, node: str) -> dict:
    owner = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d9c"}], "labels": {"pod-template-hash": "5d9c"}}
    metadata = {"name": name, "namespace": "default", "uid": name, **(owner if "5d9c" in name else {})}
    spec = {"nodeName": node, "containers": [{"ports": [{"containerPort": 8080}]}]}
    return {"metadata": metadata, "spec": spec, "status": {"podIP": ip, "phase": "Running"}}


class Place:
    """A node whose tools print the texts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[str] = []

    def run(self, argv, *, stdin="", timeout_seconds=30):
        self.asked.append(argv[0])
        short = self.name.removeprefix("kubelab-")
        kinds = {"iptables": "rules", "routes": "routes", "addresses": "addresses"}
        known = {kind: TEXTS / f"{short}.{ending}" for kind, ending in kinds.items()}
        texts = {kind: path.read_text() for kind, path in known.items() if path.exists()}
        if argv[0] == "sh":
            whole = texts if "iptables-save" in argv[2] else {}
            return Finished(0, "".join(f"\n\x1ekubelab {kind}\n{text}" for kind, text in whole.items()), "")
        asked = {"iptables-save -c": "iptables", "ip addr": "addresses", "ip route": "routes"}
        return Finished(0, texts.get(asked.get(" ".join(argv[:2]), ""), ""), "")


class Cluster:
    name = "kubelab"
    capabilities = frozenset({"kernel rules"})

    def __init__(self) -> None:
        self.outside = Place("outside")
        self.three = [Place(f"kubelab-{name}") for name in ("control-plane", "worker", "worker2")]

    def nodes(self):
        return self.three


@pytest.fixture
def lab() -> Lab:
    return Lab(Cluster(), Api(), "default")


def test_it_reads_the_same_on_every_run(lab):
    found = lab.trace("client", "web")
    assert repr(found).splitlines() == [
        "tcp from client: client:* → Service web:80",
        "     chance  end        at     endpoint    seen as",
        "[0]  0.333   delivered  web-1  web-1:8080  client:*",
        "[1]  0.333   delivered  web-2  web-2:8080  client:*",
        "[2]  0.333   delivered  web-3  web-3:8080  client:*",
    ]


@pytest.mark.parametrize(
    ("source", "target"), [("client", "web"), ("outside", "worker:30080"), ("worker", "web"), ("client", "single:8080")]
)
def test_no_address_is_shown_but_where_all_are(lab, source, target):
    found = lab.trace(source, target)
    chosen = found[0]
    for shown in (repr(found), found._repr_html_(), repr(chosen), chosen._repr_html_(), repr(chosen.reply())):
        assert not re.search(r"10\.(244|96)\.\d|172\.18\.0|KUBE-SEP-[A-Z2-7]{16}|veth", shown), shown
    assert "10.244." in found.text() and "10.244." in chosen.html() and "10.244." in chosen.text()


def test_rules_are_shown_with_names_in_parentheses(lab):
    shown = lab.trace("client", "web")[0]._repr_html_()
    assert "-d (Service web) -p tcp" in shown
    assert "--probability … -j KUBE-SEP-(web-1)" in shown or "-j KUBE-SEP-(web-1)" in shown
    assert "--to-destination (web-1):8080" in shown and "link-(client)" in shown


@pytest.mark.parametrize(
    ("target", "port", "sent"),
    [
        ("web", 0, "10.96.0.20:80"),
        ("web:http", 0, "10.96.0.20:80"),
        ("service/web", "http", "10.96.0.20:80"),
        ("web.default.svc.cluster.local", 81, "10.96.0.20:81"),
        ("web.shop", 0, "10.96.0.28:80"),
        ("web-1", 0, "10.244.1.3:8080"),
        ("web-5d9c-aaaaa:9090", 0, "10.244.1.3:9090"),
        ("kubelab-worker:30080", 0, "172.18.0.3:30080"),
        ("worker2", 30080, "172.18.0.4:30080"),
        ("10.96.0.20", 80, "10.96.0.20:80"),
    ],
)
def test_what_a_target_means(lab, target, port, sent):
    assert lab.trace("client", target, port).sent.destination_text == sent


def test_from_outside_a_balanced_service_is_its_load_balancers_address(lab):
    assert lab.trace("outside", "web.shop", via="worker").sent.destination == "172.18.255.1"
    assert lab.trace("client", "web.shop").sent.destination == "10.96.0.28"


def test_udp_is_sent_to_a_port_for_udp(lab):
    assert lab.trace("client", "web-udp", protocol="udp").sent.destination_text == "10.96.0.21:81"


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("client", "nowhere", "no Service, pod or node 'nowhere'"),
        ("client", "web:https", "has no port 'https'; it has http 80/TCP"),
        ("client", "web-udp", "has no tcp port; it has 81/UDP"),
        ("client", "headless", "is headless: its name leads straight to the pods"),
        ("client", "elsewhere", "is only another name for example.com"),
        ("client", "worker", "needs a port"),
        ("client", "web-1:http", "only a Service's ports have names"),
        ("nobody", "web", "no pod or node 'nobody'"),
    ],
)
def test_a_question_that_does_not_fit_is_a_sentence(lab, source, target, sentence):
    with pytest.raises(LabError, match=sentence):
        lab.trace(source, target)


def test_a_pod_that_affinity_remembers_is_named(lab):
    assert lab.trace("client", "sticky", remembered="web-1").only().place == "web-1"


def test_every_node_is_asked_once_and_a_survey_serves_many_traces(lab):
    seen = lab.survey()
    for target in ("web", "single:8080"):
        lab.trace("client", target, at=seen)
    assert [place.asked for place in [*lab.cluster.three, lab.cluster.outside]] == [["sh"]] * 4


def test_a_learner_who_may_see_one_namespace_only_sees_it(lab):
    lab.api.only_own_namespace = True
    assert len(lab.trace("client", "web")) == 3


def test_without_a_kernel_every_tool_is_asked_by_itself(lab):
    lab.cluster.capabilities = frozenset()
    found = lab.trace("client", "web")
    assert {outcome.place for outcome in found} == {"web-1", "web-2", "web-3"} and found.certain
    assert lab.cluster.three[0].asked == ["ip", "ip", "iptables-save", "nft", "conntrack", "sh"]
    assert lab.cluster.outside.asked == ["ip", "ip"]
    with pytest.raises(LabError, match="via='kubelab-control-plane'"):
        lab.trace("outside", "web.shop")
    assert lab.trace("outside", "web.shop", via="worker").certain


def test_where_nodes_cannot_be_talked_with_following_says_so(lab):
    with pytest.raises(LabError, match=r"cannot be heard from here; lab.trace\(\) computes it"):
        lab.follow("client", "web")


def test_a_node_that_tells_nothing_is_a_sentence(lab):
    lab.cluster.three[0].run = lambda *_, **__: Finished(127, "", "sh: not found")
    with pytest.raises(LabError, match="rules of kubelab-control-plane cannot be read: sh: not found"):
        lab.trace("client", "web")
