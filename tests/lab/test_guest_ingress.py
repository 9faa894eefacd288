"""A guest's Ingresses on a controller that is others' too."""

import json

import pytest

from kubelab.lab import kinds
from kubelab.lab.errors import ApiError, Lacking
from kubelab.lab.guest import GuestApi, Renaming
from kubelab.lab.guest_ingress import AS_WRITTEN, there
from kubelab.lab.hosts import Hosts
from kubelab.lab.lab import Lab
from kubelab.lab.testing import FakeApi, FakeCluster

OWN = "ada.lab.example.test"
INGRESSES = "/apis/networking.k8s.io/v1/namespaces/class-ada/ingresses"


def backend(name):
    return {"service": {"name": name, "port": {"number": 80}}}


def path(value, app, kind="Prefix"):
    return {"path": value, "pathType": kind, "backend": backend(app)}


def rule(host, *paths):
    return {**({"host": host} if host else {}), "http": {"paths": list(paths)}}


def ingress(*rules, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"},
            "spec": {"ingressClassName": "kubelab", "rules": list(rules), **spec}}  # fmt: skip


@pytest.fixture
def api():
    return FakeApi()


@pytest.fixture
def lab(api):
    return Lab(FakeCluster(), GuestApi(api, "lesson-11", "class-ada", "", OWN, "nginx"), "lesson-11")


def stored(api):
    return api.objects[f"{INGRESSES}/shop"]


def routes(api):
    """Host → its paths and whose they are, as the cluster has them."""
    found = {}
    for each in stored(api)["spec"]["rules"]:
        host = each["host"].removesuffix(f".{OWN}")
        assert f"{host}.{OWN}" == each["host"], "outside of what is one's own"
        found[host] = {(p["pathType"], p["path"]): p["backend"]["service"]["name"] for p in each["http"]["paths"]}
    return found


def test_hosts_and_tls_are_below_the_own_host_there_and_as_written_here(lab, api):
    written = ingress(
        rule("shop.example.test", path("/", "front")), tls=[{"hosts": ["*.example.test"], "secretName": "s"}]
    )
    lab.apply(written)
    assert stored(api)["spec"]["rules"][0]["host"] == f"shop.example.test.{OWN}"
    assert stored(api)["spec"]["tls"] == [{"hosts": [f"*.example.test.{OWN}"], "secretName": "s"}]
    assert lab.get("ingress/shop")["spec"] == written["spec"]
    assert [change for _, change in lab.apply(written).changes] == ["unchanged"]


def test_the_lessons_class_is_the_clusters_and_its_own_name_is_nobodys(lab, api):
    lab.apply(ingress(rule("shop.example.test", path("/", "front"))))
    assert stored(api)["spec"]["ingressClassName"] == "nginx"
    lab.apply(ingress(rule("shop.example.test", path("/", "front")), ingressClassName="nginx"))
    assert stored(api)["spec"]["ingressClassName"] == "kubelab"
    assert lab.get("ingress/shop")["spec"]["ingressClassName"] == "nginx"


def test_a_default_backend_takes_the_rest_of_the_own_hosts_and_nothing_of_others(lab, api):
    written = ingress(rule("shop.example.test", path("/cart", "cart")), rule("help.example.test", path("/", "help")),
                      defaultBackend=backend("lost"))  # fmt: skip
    lab.apply(written)
    assert "defaultBackend" not in stored(api)["spec"]
    found = routes(api)
    assert found["shop.example.test"] == {("Prefix", "/cart"): "cart", ("Prefix", "/"): "lost"}
    assert found["help.example.test"] == {("Prefix", "/"): "help"}
    assert found["*.shop.example.test"] == found["*.example.test"] == {("Prefix", "/"): "lost"}
    assert lab.get("ingress/shop")["spec"] == written["spec"]
    assert lab.find("ingresses")[0]["spec"] == written["spec"]
    assert AS_WRITTEN not in lab.get("ingress/shop")["metadata"]["annotations"]
    assert [change for _, change in lab.apply(written).changes] == ["unchanged"]


def test_a_rule_without_host_is_for_hosts_that_nobody_names_and_comes_before_the_default_backend(lab, api):
    lab.apply(
        ingress(rule("", path("/", "all")), rule("shop.example.test", path("/x", "x")), defaultBackend=backend("lost"))
    )
    found = routes(api)
    assert found["*.example.test"] == found["*.thing"] == {("Prefix", "/"): "all"}
    assert found["shop.example.test"] == {("Prefix", "/x"): "x", ("Prefix", "/"): "lost"}


def test_what_is_confined_no_more_is_as_it_is_written(lab, api):
    lab.apply(ingress(rule("", path("/", "all"))))
    lab.apply(ingress(rule("shop.example.test", path("/", "front"))))
    assert list(routes(api)) == ["shop.example.test"]
    assert AS_WRITTEN not in stored(api)["metadata"]["annotations"]


def test_an_event_of_a_watch_is_as_written():
    spec = {"rules": [rule("", path("/", "all"))]}
    seen = {
        "metadata": {"annotations": {AS_WRITTEN: json.dumps(spec)}},
        "spec": {"ingressClassName": "nginx", "rules": []},
    }
    back = Renaming({}, {}, {"nginx": "kubelab"}, Hosts(OWN)).event(json.dumps({"type": "ADDED", "object": seen}))
    assert json.loads(back)["object"]["spec"] == {**spec, "ingressClassName": "kubelab"}


def test_hosts_of_gateways_routes_and_redirects_are_below_the_own_host():
    redirect = {"type": "RequestRedirect", "requestRedirect": {"hostname": "new.example.test"}}
    listener = {"name": "web", "hostname": "*.example.test", "port": 80}
    spec = {"hostnames": ["shop.example.test"], "rules": [{"filters": [redirect]}], "listeners": [listener]}
    made = there({"kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": spec}, Hosts(OWN))["spec"]
    assert made["hostnames"] == [f"shop.example.test.{OWN}"]
    assert made["rules"][0]["filters"][0]["requestRedirect"] == {"hostname": f"new.example.test.{OWN}"}
    assert made["listeners"][0]["hostname"] == f"*.example.test.{OWN}"


def test_a_pods_own_host_name_is_none_of_these(lab, api):
    lab.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"},
               "spec": {"hostname": "web", "containers": [{"name": "web", "image": "x"}]}})  # fmt: skip
    assert api.objects["/api/v1/namespaces/class-ada/pods/web"]["spec"]["hostname"] == "web"


@pytest.mark.parametrize(
    "what", ["/apis/networking.k8s.io/v1/ingressclasses", kinds.NAMESPACE.path("", "lesson-11-next-door")]
)
def test_what_may_not_be_seen_is_skipped(what):
    class Refusing:
        def request(self, *_):
            raise ApiError(403, "Forbidden", "no")

    with pytest.raises(Lacking, match=r"^Skipped: "):
        GuestApi(Refusing(), "lesson-11", "class-ada").request("GET", what)
