from kubelab.engine.ingress.gateway.services import gateway_of, merged, service, service_name, written_ports
from kubelab.routing.model import ObjectName

EDGE = ObjectName("Gateway", "default", "edge")


def gateway(**spec):
    return {"metadata": {"namespace": "default", "name": "edge"}, "spec": {"gatewayClassName": "kubelab", **spec}}


def test_a_gateways_service_says_whose_it_is_and_where_its_ports_lead():
    made = service(gateway(), {443: 10001, 80: 10000})
    assert gateway_of(made) == EDGE
    assert written_ports([made]) == {(EDGE, 80): 10000, (EDGE, 443): 10001}
    assert made["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] == "edge"


def test_an_address_that_is_asked_for_is_asked_of_the_load_balancer():
    asked = [{"type": "IPAddress", "value": "172.18.255.77"}]
    assert service(gateway(addresses=asked), {80: 10000})["spec"]["loadBalancerIP"] == "172.18.255.77"
    assert "loadBalancerIP" not in service(gateway(addresses=[{"type": "IPAddress"}]), {80: 10000})["spec"]


def test_labels_and_annotations_of_the_infrastructure_are_put_on_it():
    made = service(gateway(infrastructure={"labels": {"team": "a"}, "annotations": {"b": "c"}}), {80: 10000})
    assert (made["metadata"]["labels"]["team"], made["metadata"]["annotations"]["b"]) == ("a", "c")


def test_no_two_gateways_have_a_service_of_the_same_name():
    names = [("a", "b-c"), ("a-b", "c"), ("a", "b.c"), ("a", "x" * 200), ("a", "x" * 201)]
    services = {service_name(ObjectName("Gateway", *each)) for each in names}
    assert len(services) == len(names) and all(len(each) <= 63 for each in services)


def test_a_service_that_is_there_keeps_what_others_wrote():
    wanted = service(gateway(), {80: 10000})
    there = {
        "metadata": {**wanted["metadata"], "resourceVersion": "5", "labels": {"mine": "yes"}},
        "spec": {
            **wanted["spec"],
            "clusterIP": "10.96.0.9",
            "loadBalancerIP": "172.18.255.9",
            "ports": [{**wanted["spec"]["ports"][0], "nodePort": 31000}],
        },
    }
    changed = merged(there, service(gateway(), {80: 10000, 81: 10001}))
    assert changed["metadata"]["labels"].keys() > {"mine"} and changed["spec"]["clusterIP"] == "10.96.0.9"
    assert [each.get("nodePort") for each in changed["spec"]["ports"]] == [31000, None]
    assert "loadBalancerIP" not in changed["spec"]
    assert merged(changed, service(gateway(), {80: 10000, 81: 10001})) == changed
