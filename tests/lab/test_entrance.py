import pytest

from kubelab.lab.entrance import Entrance, entrance
from kubelab.lab.errors import ApiError, LabError
from kubelab.lab.testing import fake_lab

INGRESSES = "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}"
SERVICE = "/api/v1/namespaces/kubelab-ingress/services/kubelab-ingress-controller"
GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/lesson/gateways/edge"


def with_address(key, **address):
    return {key: {"ingress": [address]}} if address else {}


@pytest.fixture
def lab():
    lab = fake_lab()
    lab.api.objects[SERVICE] = {"status": with_address("loadBalancer", ip="172.18.255.1")}
    return lab


def add(lab, name, *hosts, namespace="lesson", **address):
    lab.api.objects[INGRESSES.format(namespace, name)] = {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"rules": [{"host": host} if host else {} for host in hosts]},
        "status": with_address("loadBalancer", **address),
    }


def test_an_ingress_that_serves_the_host_says_where(lab):
    add(lab, "other", "other.test", ip="192.0.2.9")
    add(lab, "shop", "shop.test", ip="192.0.2.1")
    assert entrance(lab, "shop.test") == Entrance("192.0.2.1", "Ingress shop")


def test_the_labs_own_ingress_comes_before_others_and_the_exact_host_before_wildcards(lab):
    add(lab, "any", "", ip="192.0.2.4")
    add(lab, "wild", "*.test", ip="192.0.2.3")
    add(lab, "theirs", "shop.test", namespace="theirs", ip="192.0.2.2")
    assert entrance(lab, "shop.test").named_by == "Ingress wild"
    assert entrance(lab, "a.shop.test").named_by == "Ingress any"
    add(lab, "shop", "shop.test", ip="192.0.2.1")
    assert entrance(lab, "shop.test").named_by == "Ingress shop"


def test_one_in_another_namespace_is_named_with_it(lab):
    add(lab, "shop", "shop.test", namespace="theirs", hostname="lb.example")
    assert entrance(lab, "shop.test") == Entrance("lb.example", "Ingress theirs/shop")


@pytest.mark.parametrize("address", [{}, {"ip": "192.0.2.1"}])
def test_else_the_controllers_own_service_does(lab, address):
    add(lab, "shop", "shop.test")
    add(lab, "other", "other.test", **address)
    assert entrance(lab, "shop.test") == Entrance("172.18.255.1", "Service kubelab-ingress/kubelab-ingress-controller")


def test_a_named_object_has_the_last_word(lab):
    add(lab, "shop", "shop.test", ip="192.0.2.1")
    lab.api.objects[GATEWAY] = {"status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.7"}]}}
    assert entrance(lab, "shop.test", via="gateway/edge") == Entrance("192.0.2.7", "Gateway edge")
    assert entrance(lab, via="ingress/shop").address == "192.0.2.1"


def add_route(lab, gateway, *hostnames, namespace="lesson"):
    lab.api.objects[f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/shop"] = {
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"hostnames": list(hostnames), "parentRefs": [gateway]},
    }


def test_a_host_that_only_a_route_serves_enters_by_its_gateway(lab):
    metadata = {"name": "edge", "namespace": "lesson"}
    lab.api.objects[GATEWAY] = {"metadata": metadata, "status": {"addresses": [{"value": "192.0.2.7"}]}}
    add_route(lab, {"name": "edge"}, "shop.test", "*.wild.test")
    assert entrance(lab, "shop.test") == Entrance("192.0.2.7", "Gateway edge")
    assert entrance(lab, "a.b.wild.test").named_by == "Gateway edge"
    assert entrance(lab, "other.test").named_by.startswith("Service ")
    add(lab, "any", "", ip="192.0.2.4")
    assert entrance(lab, "shop.test").named_by == "Gateway edge"
    add(lab, "shop", "shop.test", ip="192.0.2.1")
    assert entrance(lab, "shop.test").named_by == "Ingress shop"


def test_a_route_in_another_namespace_and_one_without_a_gateway(lab):
    metadata = {"name": "edge", "namespace": "lesson"}
    lab.api.objects[GATEWAY] = {"metadata": metadata, "status": {"addresses": [{"value": "192.0.2.7"}]}}
    add_route(lab, {"name": "edge", "namespace": "lesson"}, "shop.test", namespace="theirs")
    assert entrance(lab, "shop.test").named_by == "Gateway edge"
    add_route(lab, {"name": "edge"}, "shop.test", namespace="theirs")
    assert entrance(lab, "shop.test").named_by.startswith("Service ")


def test_a_cluster_without_the_gateway_api_has_ingresses_only(lab, monkeypatch):
    request = lab.api.request

    def without(method, path, *rest):
        if "gateway.networking.k8s.io" in path:
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return request(method, path, *rest)

    monkeypatch.setattr(lab.api, "request", without)
    assert entrance(lab, "shop.test").named_by.startswith("Service ")


def test_what_has_no_address_says_so(lab):
    add(lab, "shop", "shop.test")
    with pytest.raises(LabError, match="Ingress shop has no address"):
        entrance(lab, via="ingress/shop")
    with pytest.raises(LabError, match="no way in"):
        entrance(lab, via="service/shop")
    with pytest.raises(ApiError):
        entrance(lab, via="ingress/shap")


def test_without_any_way_in_it_says_where_to_look(lab):
    del lab.api.objects[SERVICE]
    with pytest.raises(LabError, match="this cluster has no ingress; `kubelab doctor` says why"):
        entrance(lab, "shop.test")
    lab.cluster.capabilities = frozenset({"ingress"})
    with pytest.raises(LabError, match=r"no Ingress has an address for shop\.test"):
        entrance(lab, "shop.test")
