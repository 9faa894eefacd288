"""Every kind of Service: where its packets end, with what chance, and whom the server sees."""

from __future__ import annotations

import pytest

from kubelab.trace import trace

WEB = {"10.244.1.2:8080", "10.244.1.3:8080", "10.244.2.2:8080"}


def ends(found) -> dict[str, str]:
    """Endpoint → the address that it sees."""
    return {outcome.endpoint: outcome.received.source for outcome in found}


def test_a_cluster_ip_leads_to_every_endpoint_with_the_same_chance(cluster):
    found = trace(cluster, "client", "10.96.0.20", 80)
    assert ends(found) == dict.fromkeys(WEB, "10.244.2.3")
    assert [outcome.probability for outcome in found] == pytest.approx([1 / 3] * 3)
    assert all(outcome.kind == "delivered" and not outcome.masqueraded for outcome in found)


def test_a_draw_settles_which_endpoint(cluster):
    picks = [trace(cluster, "client", "10.96.0.20:80", draw=draw).only().place for draw in ([0.1], [0.9, 0.1], 0.9)]
    assert picks == ["default/web-a", "default/web-b", "default/web-c"]


def test_a_process_on_a_node_is_masqueraded_on_the_way_to_a_cluster_ip(cluster):
    found = trace(cluster, "kubelab-worker2", "10.96.0.20", 80)
    assert ends(found) == {
        "10.244.1.2:8080": "172.18.0.4",
        "10.244.1.3:8080": "172.18.0.4",
        "10.244.2.2:8080": "10.244.2.1",  # the node's address on the link to its own pod
    }
    assert all(outcome.masqueraded for outcome in found)


def test_udp_goes_by_rules_of_its_own(cluster):
    found = trace(cluster, "client", "10.96.0.21", 81, "udp")
    assert {outcome.endpoint for outcome in found} == {address.replace("8080", "8081") for address in WEB}
    assert trace(cluster, "client", "10.96.0.21", 81, "tcp").only().kind == "left alone"


def test_a_node_port_masquerades_and_reaches_all(cluster):
    found = trace(cluster, "outside", "172.18.0.3", 30080)
    assert ends(found) == {
        "10.244.1.2:8080": "10.244.1.1",
        "10.244.1.3:8080": "10.244.1.1",
        "10.244.2.2:8080": "172.18.0.3",
    }


def test_a_node_port_answers_on_localhost(cluster):
    assert {outcome.endpoint for outcome in trace(cluster, "worker", "127.0.0.1:30080")} == WEB


@pytest.mark.parametrize("port", [30081, 30085])
def test_a_local_node_port_keeps_the_clients_address(cluster, port):
    assert ends(trace(cluster, "outside", "172.18.0.3", port)) == {"10.244.1.4:8080": "172.18.0.1"}


def test_a_local_node_port_drops_where_no_endpoint_is(cluster):
    found = trace(cluster, "outside", "172.18.0.4", 30081).only()
    assert (found.kind, found.place) == ("dropped", "kubelab-worker2")
    assert "“default/single-np-local has no local endpoints”" in found.reason
    assert found.hops[-1].rule.endswith("-j DROP") and found.hops[-1].table == "filter"


@pytest.mark.parametrize(("source", "seen"), [("client", "10.244.2.3"), ("kubelab-worker2", "172.18.0.4")])
def test_a_local_node_port_short_circuits_pods_and_the_node_itself(cluster, source, seen):
    assert ends(trace(cluster, source, "172.18.0.4", 30081)) == {"10.244.1.4:8080": seen}


def test_internal_policy_local_drops_on_a_node_without_endpoint(cluster):
    assert trace(cluster, "web-a", "10.96.0.26", 80).only().place == "default/single"
    found = trace(cluster, "client", "10.96.0.26", 80).only()
    assert found.kind == "dropped" and "has no local endpoints" in found.reason


@pytest.mark.parametrize(("source", "to"), [("client", "10.96.0.23:80"), ("outside", "172.18.0.3:30083")])
def test_no_endpoints_is_refused(cluster, source, to):
    found = trace(cluster, source, to).only()
    assert found.kind == "rejected"
    assert "“default/nobody has no endpoints”" in found.reason and "connection refused" in found.reason


def test_a_wrong_port_of_a_cluster_ip_leaves_the_cluster(cluster):
    found = trace(cluster, "client", "10.96.0.20", 81).only()
    assert (found.kind, found.place) == ("left alone", "kubelab-worker2")
    assert "passes it to 172.18.0.1 (outside) by eth0" in found.reason


def test_a_wrong_node_port_ends_at_the_node(cluster):
    found = trace(cluster, "outside", "172.18.0.3", 31999).only()
    assert (found.kind, found.place) == ("left alone", "kubelab-worker")


def test_a_pod_that_reaches_itself_is_masqueraded(cluster):
    found = trace(cluster, "single", "10.96.0.27", 80).only()
    assert found.masqueraded and ends([found]) == {"10.244.1.4:8080": "10.244.1.1"}
    assert [hop.chain for hop in found.hops if hop.did == "mark 0x4000"] == ["KUBE-MARK-MASQ"]


def test_affinity_draws_for_a_new_client_and_says_so(cluster):
    found = trace(cluster, "client", "10.96.0.22", 80)
    assert {outcome.endpoint for outcome in found} == WEB
    assert len(found.notes) == 3 and all("taken as a new one" in note for note in found.notes)
    assert any(hop.did.startswith("remember 10.244.2.3 in KUBE-SEP-") for hop in found[0].hops)


@pytest.mark.parametrize("remembered", ["10.244.1.3:8080", "KUBE-SEP-IDK6575GPYIV7HVW"])
def test_affinity_keeps_a_client_that_is_remembered(cluster, remembered):
    assert trace(cluster, "client", "10.96.0.22", 80, remembered=remembered).only().place == "default/web-b"


def test_a_load_balancer_refuses_sources_outside_its_ranges(cluster):
    allowed = trace(cluster, "outside", "172.18.255.1", 80, via="kubelab-worker")
    assert {outcome.endpoint for outcome in allowed} == WEB
    refused = trace(cluster, "172.18.7.7", "172.18.255.1", 80, via="kubelab-worker").only()
    assert refused.kind == "dropped" and "not accepted by KUBE-FW-" in refused.reason


def test_an_external_ip_is_taken_in_by_any_node(cluster):
    assert {outcome.endpoint for outcome in trace(cluster, "outside", "172.18.254.7", 80, via="worker2")} == WEB


def test_the_api_is_a_process_of_a_node(cluster):
    found = trace(cluster, "client", "10.96.0.1", 443).only()
    assert (found.kind, found.place, found.endpoint) == ("delivered", "kubelab-control-plane", "172.18.0.2:6443")


def test_a_pod_is_reached_without_any_translation(cluster):
    found = trace(cluster, "client", "default/web-a", 8080).only()
    assert found.received == found.sent and found.place == "default/web-a"
