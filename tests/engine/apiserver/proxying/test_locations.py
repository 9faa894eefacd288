"""Where ``[SCHEME:]NAME[:PORT]`` leads, and upstream's words where it leads nowhere."""

from __future__ import annotations

import pytest

from kubelab.engine.apiserver.proxying.locations import Locations
from kubelab.engine.apiserver.routing import parse
from kubelab.engine.apiserver.status import StatusError

NAMED = {"containers": [{"name": "main", "image": "a"}, {"name": "b", "image": "b", "ports": [{"containerPort": 81}]}]}


@pytest.fixture
def find(server):
    """The location behind a path as ``scheme://host:port``, or the Status as ``code message``."""

    def look(path: str) -> str:
        target = parse(f"/api/v1/{path}/proxy/")
        try:
            to = Locations(server._store, server.relay).find(target)
        except StatusError as error:
            return f"{error.code} {error.reason}: {error.message}"
        return f"{to.scheme}://{to.authority}{' kubelet' if to.kubelet else ''}"

    return look


@pytest.fixture
async def web(place, expose, subset):
    """A Service with a named and an unnamed-by-number port before two pods."""
    await place("a", "10.244.1.5")
    await place("b", "10.244.2.6")
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "admin", "port": 81, "targetPort": 9090}]
    await expose("web", ports, [subset({"a": "10.244.1.5", "b": "10.244.2.6"}, {"http": 8080, "admin": 9090})])


async def test_a_service_leads_to_its_pods_by_chance(web, find) -> None:
    seen = {find("namespaces/default/services/web:http") for _ in range(60)}
    assert seen == {"http://10.244.1.5:8080", "http://10.244.2.6:8080"}


@pytest.mark.parametrize(
    ("name", "port"), [("web:80", 8080), ("web:81", 9090), ("web:admin", 9090), ("https:web:http", 8080)]
)
async def test_a_services_port_has_a_number_or_a_name(web, find, name, port) -> None:
    scheme = "https" if name.startswith("https") else "http"
    assert find(f"namespaces/default/services/{name}").startswith(f"{scheme}://10.244.")
    assert find(f"namespaces/default/services/{name}").endswith(f":{port}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("web", '503 ServiceUnavailable: no endpoints available for service "web"'),  # its ports have names
        ("web:82", '503 ServiceUnavailable: no service port 82 found for service "web"'),
        ("http:web:grpc", '503 ServiceUnavailable: no endpoints available for service "http:web:grpc"'),
        ("none", '404 NotFound: endpoints "none" not found'),
        ("none:80", '404 NotFound: services "none" not found'),
        ("ftp:web:80", '400 BadRequest: invalid service request "ftp:web:80"'),
        (":80", '400 BadRequest: invalid service request ":80"'),
        ("a:b:c:d", '400 BadRequest: invalid service request "a:b:c:d"'),
    ],
)
async def test_a_service_that_leads_nowhere_says_why(web, find, name, said) -> None:
    assert find(f"namespaces/default/services/{name}") == said


async def test_a_service_without_ready_pods_has_no_endpoints(expose, subset, place, find, api, make) -> None:
    await place("a", "10.244.1.5")
    await expose("empty", [{"port": 80}], [])
    await expose("sick", [{"port": 80}], [{"notReadyAddresses": [{"ip": "10.244.1.5"}], "ports": [{"port": 80}]}])
    alias = {"metadata": {"name": "alias"}, "spec": {"type": "ExternalName", "externalName": "example.org"}}
    await api.post("/api/v1/namespaces/default/services", alias)
    none = '503 ServiceUnavailable: no endpoints available for service "{}"'
    assert find("namespaces/default/services/empty") == none.format("empty")
    assert find("namespaces/default/services/sick:80") == none.format("sick:80")
    assert find("namespaces/default/services/alias") == '404 NotFound: endpoints "alias" not found'


async def test_addresses_that_are_no_pods_of_the_namespace_are_passed_over(expose, subset, place, find) -> None:
    await place("a", "10.244.1.5")
    foreign = subset({"a": "10.244.1.5"}, {"": 80})
    foreign["addresses"][0]["targetRef"]["namespace"] = "kube-system"
    wrong = subset({"a": "172.18.0.1", "gone": "10.244.1.9"}, {"": 80})
    by_hand = {"addresses": [{"ip": "10.244.1.5"}], "ports": [{"port": 80}]}
    await expose("web", [{"port": 80}], [foreign, wrong, by_hand])
    assert find("namespaces/default/services/web").startswith("503 ")


async def test_a_pod_is_asked_at_the_port_that_is_named_or_its_first(place, find, api, make) -> None:
    await place("web", "10.244.1.5", **NAMED)
    await place("bare", "10.244.1.6")
    await place("local", "127.0.0.1")
    await api.post("/api/v1/namespaces/default/pods", make.pod("new"))
    pod = "namespaces/default/pods/"
    assert find(f"{pod}web") == "http://10.244.1.5:81"
    assert find(f"{pod}web:9") == "http://10.244.1.5:9"
    assert find(f"{pod}https:web:") == "https://10.244.1.5:81"
    assert (find(f"{pod}bare"), find(f"{pod}https:bare:")) == ("http://10.244.1.6:80", "https://10.244.1.6:443")
    assert find(f"{pod}web:http") == '400 BadRequest: invalid pod request "web:http"'
    assert find(f"{pod}web:65536") == '400 BadRequest: invalid pod request "web:65536"'
    assert find(f"{pod}new") == find(f"{pod}local") == "400 BadRequest: address not allowed"
    assert find(f"{pod}none") == '404 NotFound: pods "none" not found'


async def test_a_node_is_its_kubelet_or_another_port_of_it(api, find) -> None:
    status = {
        "addresses": [{"type": "InternalIP", "address": "172.18.0.3"}, {"type": "ExternalDNS", "address": "localhost"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 40001}},
    }
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}, "status": status})
    for name in ("n1", "n1:10250", "https:n1:", "n1:40001"):
        assert find(f"nodes/{name}") == "https://localhost:40001 kubelet"
    assert find("nodes/n1:10256") == "http://172.18.0.3:10256"
    assert find("nodes/n2") == '404 NotFound: nodes "n2" not found'
