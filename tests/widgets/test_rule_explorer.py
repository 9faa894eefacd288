import re
from pathlib import Path

import pytest

from kubelab.clusters.base import Finished
from kubelab.lab.errors import LabError
from kubelab.lab.service_rules import service_rules
from kubelab.lab.survey import Survey
from kubelab.trace import picture
from kubelab.widgets import RuleExplorer

TEXTS = Path(__file__).resolve().parents[1] / "trace" / "texts"
ADDRESS = re.compile(r"\b10\.(244|96)\.\d|KUBE-SEP-[A-Z2-7]{16}")
PODS = {"web-1": ("10.244.1.2", "kubelab-worker"), "web-2": ("10.244.1.3", "kubelab-worker")}
PORT = {"name": "", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}
SERVICE = {
    "metadata": {"name": "web-np", "namespace": "default"},
    "spec": {"clusterIP": "10.96.0.24", "clusterIPs": ["10.96.0.24"], "type": "NodePort", "ports": [PORT]},
}
SLICE = {
    "metadata": {"name": "a", "namespace": "default", "labels": {"kubernetes.io/service-name": "web-np"}},
    "addressType": "IPv4",
    "ports": [{"name": "", "port": 8080, "protocol": "TCP"}],
    "endpoints": [
        {"addresses": [address], "conditions": {"ready": True, "serving": True}, "nodeName": node}
        for address, node in PODS.values()
    ],
}
NODE = {
    "metadata": {"name": "kubelab-worker"},
    "spec": {"podCIDR": "10.244.1.0/24"},
    "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]},
}


class RecordedNode:
    """kubelab-worker as its tools printed it; it lacks what a test takes away."""

    name = "kubelab-worker"

    def __init__(self):
        self.answers = {"iptables-save": "worker.rules", "nft": "worker.nft"}

    def run(self, argv, *, stdin="", timeout_seconds=30.0):
        if argv[0] not in self.answers:
            return Finished(127, "", "not found")
        return Finished(0, (TEXTS / self.answers[argv[0]]).read_text(), "")


class RecordedLab:
    """As much of a lab as reading rules takes."""

    namespace = "default"
    proxy_mode = "iptables"

    def __init__(self):
        self.cluster = self
        self.api = self
        self.node = RecordedNode()

    def nodes(self):
        return [self.node]

    def request(self, method, path):
        return {"items": {"endpointslices": [SLICE], "nodes": [NODE]}[path.rsplit("/", 1)[-1]]}

    def survey(self):
        texts = {
            "iptables": (TEXTS / "worker.rules").read_text(),
            "addresses": (TEXTS / "worker.addresses").read_text(),
        }
        return Survey(picture({"kubelab-worker": texts}, PODS), (SERVICE,), "default", {"10.244.0.0/16": "pods"})


@pytest.fixture
def lab():
    lab = RecordedLab()
    lab.cluster.name = "kubelab"
    return lab


def blocks(rules, mode):
    return {block.named: block for block in rules[mode].blocks}


def test_the_mode_that_runs_is_read_and_the_others_are_compiled_and_that_is_said(lab):
    rules = service_rules(lab, "web-np")
    assert [mode.mode for mode in rules.modes if mode.live] == ["iptables"]
    assert rules["iptables"].source == "Read from kubelab-worker just now: `iptables-save`."
    assert rules["ipvs"].source.startswith("Not loaded: what kube-proxy makes of the same objects")


def test_a_service_picks_out_its_own_rules_and_not_those_of_a_name_that_begins_like_its(lab):
    found = blocks(service_rules(lab, "web-np"), "iptables")
    assert [line.words for line in found["nat KUBE-SERVICES"].lines] == [
        "To Service web-np, port 80: on to the Service's chain."
    ]
    assert found["nat KUBE-SERVICES"].others > 5
    assert [line.leads_to for line in found["nat KUBE-NODEPORTS"].lines] == ["KUBE-EXT-4UDSYVHJNXWHWIRT"]
    own = found["nat KUBE-SVC-4UDSYVHJNXWHWIRT"].lines
    assert [line.share for line in own] == ["", "1/3", "1/3", "1/3"]
    assert own[2].aside == "It draws 1/2 of what the rules above have left."
    assert "web-1:8080 (DNAT)" in found["nat KUBE-SEP-(web-1)"].lines[-1].words


def test_nftables_finds_it_by_one_look_up_and_draws_in_one_rule(lab):
    found = blocks(service_rules(lab, "web-np"), "nftables")
    (way,) = found["service-ips"].lines
    assert way.words == "Service web-np, tcp port 80: on to its chain."
    (drawing,) = next(block for name, block in found.items() if name.startswith("service-") and "/" in name).lines
    assert drawing.share == "1/2 each"
    assert drawing.words == "The destination becomes web-1 or web-2, 1/2 each."


def test_a_live_nftables_table_is_read_as_it_is_listed(lab):
    lab.proxy_mode = "nftables"
    mode = service_rules(lab, "web-np")["nftables"]
    assert mode.live
    named = {block.named for block in mode.blocks}
    assert {"services", "cluster-ips", "service-ips", "service-nodeports"} <= named
    assert any(name.startswith("external-") for name in named)
    assert not any("web-sticky" in line.text for block in mode.blocks for line in block.lines)


def test_ipvs_has_virtual_servers_with_real_ones(lab):
    rules = service_rules(lab, "web-np")
    assert rules["ipvs"].count == "2 virtual servers, 4 real servers"
    found = blocks(rules, "ipvs")
    assert [line.words for line in found["tcp (Service web-np):80"].lines][1:] == [
        "A real server: web-1:8080, by NAT.",
        "A real server: web-2:8080, by NAT.",
    ]


def test_a_mode_that_runs_and_cannot_be_read_is_not_called_read(lab):
    lab.node.answers = {}
    mode = service_rules(lab, "web-np")["iptables"]
    assert not mode.live
    assert mode.source.startswith("Loaded, but `iptables-save` cannot be run on kubelab-worker")


def test_what_a_notebook_keeps_is_the_same_every_time_and_holds_no_address(lab):
    first, second = (RuleExplorer(lab, "web-np")._repr_mimebundle_()[0] for _ in range(2))
    for form in ("text/plain", "text/html"):
        assert first[form] == second[form]
        assert not ADDRESS.search(first[form])
    assert first["text/plain"].startswith("Service web-np on kubelab-worker\n")


def test_every_jump_leads_to_a_chain_that_is_shown(lab):
    explorer = RuleExplorer(lab, "web-np")
    for mode in explorer.rules["modes"]:
        names = {block["name"] for block in mode["blocks"]}
        for block in mode["blocks"]:
            assert {line["leads_to"] for line in block["lines"] if line["leads_to"]} <= names


def test_wrong_names_are_answered_with_what_there_is_and_shown_where_a_browser_asked(lab):
    with pytest.raises(LabError, match="no Service 'web'; there are web-np"):
        RuleExplorer(lab, "web")
    with pytest.raises(LabError, match="no node 'nowhere'"):
        RuleExplorer(lab, "web-np", node="nowhere")
    explorer = RuleExplorer(lab, "web-np")
    explorer.node = "nowhere"
    assert "no node 'nowhere'" in explorer.problem
    assert not explorer.reading
    explorer.node = "kubelab-worker"
    assert explorer.problem == ""
