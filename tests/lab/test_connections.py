import dataclasses

import pytest

from kubelab.clusters.base import Finished
from kubelab.lab.errors import LabError

NODE_ADDRESSES = {"fake-worker": ("172.18.0.3", "10.244.1.0/24"), "fake-worker2": ("172.18.0.4", "10.244.2.0/24")}


@dataclasses.dataclass
class TabledNode:
    """A node whose conntrack prints what a test says."""

    name: str
    lines: list[str]
    code: int = 0
    stderr: str = ""

    def run(self, argv, *, stdin="", timeout_seconds=30.0):
        assert argv == ["conntrack", "-L"]
        return Finished(self.code, "".join(f"{line}\n" for line in self.lines), self.stderr)


class TabledCluster:
    """A cluster of such nodes."""

    name = "fake"
    capabilities = frozenset({"kernel rules", "conntrack"})

    def __init__(self, nodes):
        self._nodes = nodes

    def nodes(self):
        return self._nodes


@pytest.fixture
def lab(lab_with_web):
    """Two nodes with empty tables, three pods `web`, a client, a Service with a node port and the cluster's DNS."""
    lab, api = lab_with_web, lab_with_web.api
    for name, (address, network) in NODE_ADDRESSES.items():
        status = {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]}
        node = {"metadata": {"name": name}, "spec": {"podCIDRs": [network]}, "status": status}
        api.objects[f"/api/v1/nodes/{name}"] = node
    cidr = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16"]}}
    api.objects["/apis/networking.k8s.io/v1/servicecidrs/kubernetes"] = cidr
    dns = {"clusterIP": "10.96.0.10", "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    api.objects["/api/v1/namespaces/kube-system/services/kube-dns"] = {"metadata": metadata, "spec": dns}
    place(lab, "services/web", clusterIP="10.96.0.20", ports=[{"port": 80, "nodePort": 30080}])
    lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": {"containers": []}})
    for number, pod in enumerate(lab.pods(), 2):
        api.objects[f"/api/v1/namespaces/lesson/pods/{pod.name}"]["status"]["podIP"] = f"10.244.1.{number}"
    lab.cluster = TabledCluster([TabledNode(name, []) for name in NODE_ADDRESSES])
    return lab


def place(lab, what, **spec):
    lab.api.objects[f"/api/v1/namespaces/lesson/{what}"]["spec"].update(spec)


def tcp(client, asked, server, seen_as=None, state="ESTABLISHED", flags="[ASSURED]"):
    """A line of ``conntrack -L``: ends are ``address:port``."""
    (source, sport), (destination, dport) = client.split(":"), asked.split(":")
    (answering, aport), (back, bport) = server.split(":"), (seen_as or client).split(":")
    return (
        f"tcp      6 431999 {state} src={source} dst={destination} sport={sport} dport={dport} "
        f"src={answering} dst={back} sport={aport} dport={bport} {flags} mark=0 use=1"
    )


CLIENT, WEB = "10.244.1.2", {"web-1": "10.244.1.3:8080", "web-2": "10.244.1.4:8080", "web-3": "10.244.1.5:8080"}


def test_the_ends_have_their_names_and_the_repr_leaves_out_what_chance_decides(lab):
    lab.cluster.nodes()[0].lines += [
        tcp(f"{CLIENT}:40001", "10.96.0.20:80", WEB["web-2"], state="TIME_WAIT"),
        tcp(f"{CLIENT}:40002", "10.96.0.20:80", WEB["web-1"]),
        tcp(f"{CLIENT}:40003", "10.96.0.20:80", WEB["web-1"]),
    ]
    found = lab.connections(service="web")
    assert repr(found) == "Connections(3 to Service web:80 → 2 servers)"
    assert found.text() == (
        "fake-worker: client → Service web:80 → web-1:8080 (tcp ESTABLISHED [ASSURED])  × 2\n"
        "fake-worker: client → Service web:80 → web-2:8080 (tcp TIME_WAIT [ASSURED])"
    )
    assert found.servers == {"web-1:8080": 2, "web-2:8080": 1}
    assert found.states == {"ESTABLISHED": 2, "TIME_WAIT": 1}
    assert repr(found.open) == "Connections(2 to Service web:80 → 1 server)"
    assert "10.244" not in found._repr_html_() and "10.96" not in found._repr_html_()


def test_a_node_port_says_whose_it_is_and_whom_the_server_sees(lab):
    lab.cluster.nodes()[0].lines += [
        tcp("172.18.0.1:33218", "172.18.0.3:30080", WEB["web-1"], seen_as="10.244.1.1:54084")
    ]
    (only,) = lab.connections(service="web", source="outside")
    assert (only.source, only.asked) == ("outside", "Service web:80 at fake-worker")
    assert (only.server, only.seen_as, only.service) == ("web-1:8080", "fake-worker", "web")
    assert only.masqueraded and only.translated and only.seconds == 431999


def test_filters_narrow_by_node_service_source_and_protocol(lab):
    asked = "src=10.244.1.2 dst=10.96.0.10 sport=5000 dport=53"
    dns = f"udp      17 29 {asked} [UNREPLIED] src=10.244.0.9 dst=10.244.1.2 sport=53 dport=5000 mark=0 use=1"
    first, second = lab.cluster.nodes()
    first.lines += [dns, tcp(f"{CLIENT}:40001", "10.96.0.20:80", WEB["web-1"])]
    second.lines += [tcp(f"{CLIENT}:40001", WEB["web-1"], WEB["web-1"])]
    assert len(lab.connections()) == 3
    assert repr(lab.connections("worker2")) == "Connections(1 to web-1:8080)"
    assert repr(lab.connections(service="web")) == "Connections(1 to Service web:80 → 1 server)"
    assert len(lab.connections(source=lab.pod("client"))) == 3
    assert len(lab.connections(source="web-1")) == 0
    (lookup,) = lab.connections(protocol="UDP")
    assert (lookup.asked, lookup.state, lookup.flags) == ("Service kube-system/kube-dns:53", "", "[UNREPLIED]")
    assert lookup.seconds == 29
    assert len(lab.connections(service="kube-system/kube-dns")) == 1


def test_a_pod_that_is_gone_keeps_its_name_in_entries_that_outlive_it(lab):
    lab.cluster.nodes()[0].lines += [tcp(f"{CLIENT}:40001", "10.96.0.20:80", WEB["web-2"])]
    lab.pods()
    del lab.api.objects[f"/api/v1/namespaces/lesson/pods/{lab.pod('web-2').name}"]
    (stale,) = lab.connections(service="web")
    assert stale.server == "web-2 (gone):8080"


def test_addresses_of_nobody_known_are_not_shown_as_numbers(lab):
    lab.cluster.nodes()[0].lines += [
        tcp("10.244.2.77:40001", "10.96.0.99:80", "10.96.0.99:80", state="SYN_SENT", flags="[UNREPLIED]")
    ]
    (only,) = lab.connections()
    assert (only.source, only.asked) == ("a pod that is gone", "a Service that is gone:80")


def test_wrong_questions_are_answered_with_what_there_is(lab):
    with pytest.raises(LabError, match="no node 'worker9'; there are fake-worker, fake-worker2"):
        lab.connections(node="worker9")
    with pytest.raises(LabError, match="no Service 'wbe' with an address; lesson has web"):
        lab.connections(service="wbe")
    with pytest.raises(LabError, match="no protocol 'quic'; ask for tcp, udp"):
        lab.connections(protocol="quic")


def test_without_the_program_it_says_what_to_install(lab):
    lab.cluster.nodes()[0].code = 127
    with pytest.raises(LabError, match="apt-get install conntrack"):
        lab.connections()


def test_a_table_that_cannot_be_read_is_an_error_and_not_an_empty_table(lab):
    lab.cluster.nodes()[0].code, lab.cluster.nodes()[0].stderr = 1, "conntrack v1.4.7: Operation not permitted\n"
    with pytest.raises(LabError, match=r"on fake-worker failed: .*not permitted"):
        lab.connections()


def test_where_no_kernel_tracks_that_is_said(lab):
    assert lab.connections().note == ""
    lab.cluster.capabilities = frozenset()
    assert "No kernel tracks connections here" in lab.connections().text()
    assert "No kernel tracks connections here" in lab.connections(protocol="tcp")._repr_html_()


def test_no_connections_is_said(lab):
    assert repr(lab.connections(service="web")) == "Connections(none)"
    assert "No connections" in lab.connections(service="web")._repr_html_()
