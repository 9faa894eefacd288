from __future__ import annotations

import pytest

from kubelab.engine.controllers.endpoints.slices import endpoint_for, groups_for, ports_for, slice_labels

ZONE = {"topology.kubernetes.io/zone": "zone-a"}


def conditions(endpoint) -> tuple[bool, bool, bool]:
    return tuple(endpoint["conditions"][name] for name in ("ready", "serving", "terminating"))


@pytest.mark.parametrize(
    ("pod", "publishes", "expected"),
    [
        ({"ready": True}, False, (True, True, False)),
        ({"ready": False}, False, (False, False, False)),
        ({"ready": True, "deleting": True}, False, (False, True, True)),
        ({"ready": False, "deleting": True}, False, (False, False, True)),
        ({"ready": False}, True, (True, False, False)),
        ({"ready": True, "deleting": True}, True, (True, True, True)),
    ],
)
def test_conditions_follow_readiness_and_deletion(make, pod, publishes, expected):
    service = make.service(publishNotReadyAddresses=publishes)
    endpoint = endpoint_for(service, make.pod("a", ip="10.244.1.2", **pod), make.node("node-a"), "IPv4")
    assert conditions(endpoint) == expected


def test_an_endpoint_names_its_address_node_pod_and_zone(make):
    endpoint = endpoint_for(make.service(), make.pod("a", ip="10.244.1.2"), make.node("node-a", labels=ZONE), "IPv4")
    assert endpoint["addresses"] == ["10.244.1.2"]
    assert endpoint["nodeName"] == "node-a"
    assert endpoint["zone"] == "zone-a"
    assert endpoint["targetRef"] == {"kind": "Pod", "name": "a", "namespace": "default", "uid": "uid-a"}
    assert "hostname" not in endpoint and "hints" not in endpoint


def test_the_hostname_is_there_when_the_pods_subdomain_is_the_service(make):
    node = make.node("node-a")
    mine = make.pod("a", ip="10.244.1.2", spec={"hostname": "db-0", "subdomain": "web"})
    other = make.pod("b", ip="10.244.1.3", spec={"hostname": "db-0", "subdomain": "else"})
    assert endpoint_for(make.service(), mine, node, "IPv4")["hostname"] == "db-0"
    assert "hostname" not in endpoint_for(make.service(), other, node, "IPv4")


@pytest.mark.parametrize(
    ("distribution", "hints"),
    [
        (None, None),
        ("PreferClose", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameZone", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameNode", {"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "node-a"}]}),
    ],
)
def test_hints_say_who_should_use_a_ready_endpoint(make, distribution, hints):
    service = make.service(trafficDistribution=distribution)
    node = make.node("node-a", labels=ZONE)
    assert endpoint_for(service, make.pod("a", ip="10.244.1.2"), node, "IPv4").get("hints") == hints
    assert "hints" not in endpoint_for(service, make.pod("a", ip="10.244.1.2", ready=False), node, "IPv4")


def test_without_a_zone_only_the_node_is_hinted_at(make):
    service = make.service(trafficDistribution="PreferSameNode")
    endpoint = endpoint_for(service, make.pod("a", ip="10.244.1.2"), make.node("node-a"), "IPv4")
    assert endpoint["hints"] == {"forNodes": [{"name": "node-a"}]}


def named(number: int, **container) -> dict:
    ports = [{"name": "http", "containerPort": number, "protocol": "TCP"}]
    return {"containers": [{"name": "main", "image": "agnhost", "ports": ports, **container}]}


def test_a_named_port_is_looked_up_in_each_pod_so_one_service_can_have_several_groups(make):
    service = make.service(ports=[{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}])
    pods = [make.pod("a", ip="10.244.1.2", spec=named(8080)), make.pod("b", ip="10.244.1.3", spec=named(9090))]
    groups = groups_for(service, pods, lambda name: make.node(name), "IPv4")
    found = {ports[0]["port"]: [each["addresses"][0] for each in endpoints] for ports, endpoints in groups.values()}
    assert found == {8080: ["10.244.1.2"], 9090: ["10.244.1.3"]}


def test_a_named_port_may_belong_to_an_init_container_that_keeps_running(make):
    service = make.service(ports=[{"name": "metrics", "port": 9, "targetPort": "metrics", "protocol": "TCP"}])
    port = {"name": "metrics", "containerPort": 9100, "protocol": "TCP"}
    sidecar = {"name": "side", "image": "agnhost", "restartPolicy": "Always", "ports": [port]}
    once = {"name": "once", "image": "agnhost", "ports": [port]}
    assert ports_for(service, make.pod("a", spec={"initContainers": [sidecar]}))[0]["port"] == 9100
    assert ports_for(service, make.pod("a", spec={"initContainers": [once]})) == []


def test_a_port_that_no_pod_has_leaves_endpoints_without_ports(make):
    service = make.service(ports=[{"name": "http", "port": 80, "targetPort": "htpp", "protocol": "TCP"}])
    pods = [make.pod("a", ip="10.244.1.2", spec=named(8080))]
    [(ports, endpoints)] = groups_for(service, pods, lambda name: make.node(name), "IPv4").values()
    assert ports == [] and len(endpoints) == 1


def test_the_protocol_of_a_named_port_must_fit(make):
    service = make.service(ports=[{"name": "dns", "port": 53, "targetPort": "http", "protocol": "UDP"}])
    assert ports_for(service, make.pod("a", spec=named(8080))) == []


def test_pods_without_address_finished_or_on_a_lost_node_are_left_out(make):
    pods = [
        make.pod("no-ip"),
        make.pod("done", ip="10.244.1.3", phase="Succeeded"),
        make.pod("lost", ip="10.244.1.4", node="node-gone"),
        make.pod("here", ip="10.244.1.5"),
    ]
    nodes = {"node-a": make.node("node-a")}
    [(_, endpoints)] = groups_for(make.service(), pods, nodes.get, "IPv4").values()
    assert [each["addresses"][0] for each in endpoints] == ["10.244.1.5"]


def test_labels_are_the_services_own_and_those_of_the_controller(make):
    service = make.service(labels={"team": "shop", "kubernetes.io/service-name": "liar"})
    assert slice_labels(service) == {
        "team": "shop",
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert slice_labels(make.service(clusterIP="None"))["service.kubernetes.io/headless"] == ""
