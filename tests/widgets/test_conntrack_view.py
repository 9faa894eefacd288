import threading
import time

import pytest

from kubelab.clusters.base import Finished
from kubelab.lab.errors import LabError
from kubelab.widgets import ConntrackView

OPEN = (
    "tcp      6 431999 ESTABLISHED src=10.244.1.9 dst=10.96.0.20 sport=40001 dport=80 "
    "src=10.244.1.3 dst=10.244.1.9 sport=8080 dport=40001 [ASSURED] mark=0 use=1\n"
)
CLOSED = OPEN.replace("ESTABLISHED", "TIME_WAIT").replace("40001", "40002").replace("431999", "119")
ASKED = (
    "udp      17 29 src=10.244.1.9 dst=10.96.0.10 sport=5000 dport=53 [UNREPLIED] "
    "src=10.244.0.9 dst=10.244.1.9 sport=53 dport=5000 mark=0 use=1\n"
)


class TabledNode:
    """A node whose conntrack prints what a test says, and counts how often it was asked."""

    def __init__(self, name, table=""):
        self.name, self.table, self.code, self.asked = name, table, 0, 0

    def run(self, argv, *, stdin="", timeout_seconds=30.0):
        self.asked += 1
        return Finished(self.code, self.table, "no such table")


@pytest.fixture
def lab(lab_in_memory):
    lab = lab_in_memory
    lab.cluster.capabilities = frozenset({"kernel rules", "conntrack"})
    nodes = [TabledNode("fake-control-plane"), TabledNode("fake-worker", OPEN + CLOSED + ASKED)]
    lab.cluster.nodes = lambda: nodes
    spec = {"clusterIP": "10.96.0.20", "ports": [{"port": 80}]}
    lab.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    return lab


@pytest.fixture
def view(lab):
    view = ConntrackView(lab)
    yield view
    view.close()


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_shows_the_first_workers_table_with_names_and_open_connections_first(view):
    assert view.node == "fake-worker"
    assert [(row["state"], row["asked"], row["flags"]) for row in view.rows] == [
        ("ESTABLISHED", "Service web:80", "[ASSURED]"),
        ("", view.rows[1]["asked"], "[UNREPLIED]"),
        ("TIME_WAIT", "Service web:80", "[ASSURED]"),
    ]
    assert view.rows[0]["seconds"] == 431999
    assert view.rows[0]["first"] == "src=10.244.1.9 dst=10.96.0.20 sport=40001 dport=80"


def test_filters_narrow_what_was_read_without_reading_again(lab, view):
    asked = lab.cluster.nodes()[1].asked
    view.service = "web"
    assert view.total == 2
    view.text = "time_wait"
    assert [row["port"] for row in view.rows] == [40002]
    view.service, view.text, view.protocol = "", "", "udp"
    assert [row["port"] for row in view.rows] == [5000]
    assert lab.cluster.nodes()[1].asked == asked


def test_while_it_runs_rows_come_and_go(lab, view, monkeypatch):
    monkeypatch.setattr("kubelab.widgets.conntrack_view.READ_SECONDS", 0.01)
    view.start()
    lab.cluster.nodes()[1].table = OPEN
    until(lambda: view.total == 1)
    lab.cluster.nodes()[1].table = OPEN + ASKED
    until(lambda: view.total == 2)
    view.stop()
    assert not view.running
    assert not [thread for thread in threading.enumerate() if thread.name == "kubelab-conntrack"]


def test_nobody_looking_means_no_reading(lab, view, monkeypatch):
    monkeypatch.setattr("kubelab.widgets.conntrack_view.READ_SECONDS", 0.01)
    view.visible = False
    asked = lab.cluster.nodes()[1].asked
    view.start()
    until(lambda: view._worker.is_alive())
    view.stop()
    assert lab.cluster.nodes()[1].asked == asked


def test_a_forgotten_view_stops_by_itself(view, monkeypatch):
    monkeypatch.setattr("kubelab.widgets.conntrack_view.LONGEST_SECONDS", 0.0)
    view.start()
    until(lambda: not view.running)


def test_a_cell_that_is_run_again_ends_the_view_from_before(lab):
    older = ConntrackView(lab, service="web")
    older.start()
    newer = ConntrackView(lab, service="web")
    assert not older.running
    newer.close()


def test_what_fails_while_it_runs_is_shown_and_mends_itself(lab, view):
    node = lab.cluster.nodes()[1]
    node.code = 1
    view._try()
    assert view.problem == "`conntrack -L` on fake-worker failed: no such table"
    node.code = 0
    view._try()
    assert view.problem == ""


def test_another_node_is_another_table(view):
    view.node = "fake-control-plane"
    assert view.rows == [] and view.total == 0


def test_its_text_and_html_do_not_change_from_run_to_run(lab):
    bundles = []
    for _ in range(2):
        view = ConntrackView(lab, "worker", service="web")
        bundles.append(view._repr_mimebundle_()[0])
        view.close()
    assert bundles[0]["text/plain"] == bundles[1]["text/plain"] == "ConntrackView(fake-worker, Service web)"
    assert bundles[0]["text/html"] == bundles[1]["text/html"]
    assert "10." not in bundles[0]["text/html"]


def test_where_there_is_no_table_it_says_so(lab):
    lab.cluster.nodes()[1].code = 127
    with pytest.raises(LabError, match="apt-get install conntrack"):
        ConntrackView(lab)
    with pytest.raises(LabError, match="no Service 'wbe'"):
        ConntrackView(lab, service="wbe")
