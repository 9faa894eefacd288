"""Gateways and HTTPRoutes on a real cluster: what they are told, and what is answered."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from kubelab.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

SCENE = Path(__file__).with_name("scene.yaml")
SERVER = files("kubelab.course.programs").joinpath("server.py").read_text()
API = "gateway.networking.k8s.io/v1"


def server(name: str) -> dict[str, Any]:
    """A Deployment with one pod of the course's server."""
    fields = {"POD_NAME": "metadata.name", "POD_UID": "metadata.uid", "NODE_NAME": "spec.nodeName"}
    container = {
        "name": "server",
        "image": "python:3.12",
        "command": ["python3", "-c", SERVER],
        "env": [{"name": key, "valueFrom": {"fieldRef": {"fieldPath": path}}} for key, path in fields.items()],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1},
    }
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
    }


def route(name: str, *rules: dict[str, Any], hosts: tuple[str, ...] = (), **parent: Any) -> dict[str, Any]:
    """An HTTPRoute of the Gateway edge, on its listener ``wild`` when none is named."""
    ref = {"name": "edge", "sectionName": "wild", **parent}
    spec = {"parentRefs": [ref], "hostnames": list(hosts), "rules": list(rules)}
    return {"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": name}, "spec": spec}


def to(*services: str, **match: Any) -> dict[str, Any]:
    """A rule to Services, ``canary=1`` for its weight; ``match`` is one of its matches."""
    refs = []
    for each in services:
        name, _, weight = each.partition("=")
        namespace, _, short = name.rpartition("/")
        ref = {"name": short, "port": 80, "weight": int(weight or 1)}
        refs.append({**ref, "namespace": namespace} if namespace else ref)
    return {"backendRefs": refs, **({"matches": [match]} if match else {})}


def path(value: str, kind: str = "PathPrefix") -> dict[str, str]:
    return {"type": kind, "value": value}


def grant(name: str, kind: str, target: str) -> dict[str, Any]:
    """For objects of a kind of the namespace gateways, in the namespace team."""
    spec = {"from": [{"group": "gateway.networking.k8s.io", "kind": kind, "namespace": "gateways"}],
            "to": [{"group": "", "kind": target}]}  # fmt: skip
    return {"apiVersion": API, "kind": "ReferenceGrant", "metadata": {"name": name}, "spec": spec}


class Edge:
    """The Gateway edge, and requests to it."""

    def __init__(self, lab: Lab, team: Lab) -> None:
        self.lab, self.team = lab, team
        self.system = Lab(lab.cluster, lab.api, "kubelab-ingress")

    def serve(self, *objects: dict[str, Any]) -> None:
        """Apply routes and wait until they are served."""
        self.lab.apply(list(objects))
        for each in objects:
            if each["kind"] == "HTTPRoute":
                self.lab.wait(f"httproute/{each['metadata']['name']}", "answers")

    def ask(self, *urls: str, **asked: Any) -> list[str]:
        """What each URL is answered with."""
        return [reply.words for reply in self.lab.requests(*urls, via="gateway/edge", **asked)]

    def reasons(self, name: str, type: str) -> list[str]:
        """Those of an object's conditions of a type."""
        return [each.reason for each in self.lab.conditions(name).of_type(type)]

    def reply(self, url: str, **asked: Any) -> Any:
        [reply] = self.lab.requests(url, via="gateway/edge", **asked)
        return reply


@pytest.fixture(scope="module")
def edge(door):
    lab = Lab(door.lab.cluster, door.lab.api, "gateways")
    lab.apply(SCENE)
    lab.apply([server("web"), server("canary")])
    ports = [{"port": 80, "targetPort": 8080}]
    far = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "far"}}
    team = Lab(door.lab.cluster, door.lab.api, "team")
    team.apply([server("far"), {**far, "spec": {"selector": {"app": "far"}, "ports": ports}}])
    lab.certificate("shop.example.test", secret="shop")
    lab.certificate("*.example.test", secret="wild")
    for target in ("deployment/web", "deployment/canary", "service/web", "service/canary", "gateway/edge"):
        lab.wait(target)
    team.wait("deployment/far")
    return Edge(lab, team)


def test_a_gateway_has_an_address_of_its_own_and_says_that_it_is_programmed(edge, door):
    found = edge.lab.get("gateway/edge")
    service = edge.system.get("service/gateway-gateways-edge")
    assert found["status"]["addresses"] == [
        {"type": "IPAddress", "value": service["status"]["loadBalancer"]["ingress"][0]["ip"]}
    ]
    assert [port["port"] for port in service["spec"]["ports"]] == [80, 443, 8080]
    for type in ("Accepted", "Programmed", "ResolvedRefs"):  # also of every listener
        door.eventually(lambda type=type: edge.lab.conditions("gateway/edge").holds(type))
    assert edge.lab.conditions("gatewayclass/kubelab").holds("SupportedVersion")


def test_a_route_is_served_for_the_hosts_that_it_shares_with_its_listener(edge, door):
    edge.serve(
        route("hosts", to("web"), hosts=("a.example.test", "other.test")),
        route("all", to("canary"), sectionName="narrow"),
    )
    hosts = ("a.example.test", "A.EXAMPLE.test", "b.example.test", "other.test", "narrow.example.test")
    assert edge.ask(*(f"http://{host}:8080/" for host in hosts)) == ["web", "web", "404", "404", "canary"]

    def attached():
        listed = edge.lab.get("gateway/edge")["status"]["listeners"]
        return {each["name"]: each["attachedRoutes"] for each in listed}

    door.eventually(lambda: attached() == {"http": 0, "narrow": 1, "wild": 1, "https": 0, "wild-https": 0})
    edge.lab.delete("httproute/all")


def test_a_narrower_listener_has_its_hosts_to_itself(edge):
    edge.serve(route("wide", to("web"), hosts=("narrow.example.test", "*.example.test")))
    assert edge.ask("http://narrow.example.test:8080/", "http://deep.er.example.test:8080/") == ["404", "web"]
    edge.lab.delete("httproute/wide")


def test_the_most_particular_match_wins(edge):
    exact = [to("canary", path=path("/shop/cart", "Exact")), to("web", path=path("/shop"))]
    by_header = to("canary", path=path("/shop/old"), headers=[{"name": "Version", "value": "2"}])
    by_query = to("canary", queryParams=[{"name": "beta", "value": "yes"}])
    by_method = to("empty", path=path("/shop"), method="DELETE")
    edge.serve(route("matches", *exact, by_header, to("web"), by_query, by_method, hosts=("m.example.test",)))
    ask = [
        f"http://m.example.test:8080{each}" for each in ("/shop/cart", "/shop/cart/", "/shop/old", "/shopping?beta=yes")
    ]
    assert edge.ask(*ask) == ["canary", "web", "web", "canary"]
    assert edge.ask(ask[2], headers={"version": "2"}) == ["canary"]
    assert edge.ask(ask[1], method="DELETE") == ["503"]


def test_weights_are_kept_also_by_what_is_missing(edge, door):
    """With a probability of 1 in 1000 each, chance alone fails this test."""
    edge.serve(
        route("split", to("web=8", "canary=2"), hosts=("split.example.test",)),
        route("half", to("web", "nowhere"), hosts=("half.example.test",)),
    )
    split = edge.lab.requests("http://split.example.test:8080/", n=400, via="gateway/edge", keep=True)
    assert split.follows({"web": 8, "canary": 2}), split
    half = edge.lab.requests("http://half.example.test:8080/", n=400, via="gateway/edge", keep=True)
    assert half.follows({"web": 1, "500": 1}), half
    door.eventually(lambda: edge.reasons("httproute/half", "ResolvedRefs") == ["BackendNotFound"])


def test_what_cannot_be_answered_says_why_by_its_status(edge):
    zero = {"backendRefs": [{"name": "web", "port": 80, "weight": 0}]}
    edge.serve(
        route("no-endpoint", to("empty"), hosts=("e.example.test",)),
        route("no-service", to("nowhere"), hosts=("n.example.test",)),
        route("no-weight", zero, hosts=("z.example.test",)),
        route("slow", {**to("web"), "timeouts": {"request": "100ms"}}, hosts=("slow.example.test",)),
    )
    hosts = ("e.example.test", "n.example.test", "z.example.test", "x.example.test")
    assert edge.ask(*(f"http://{host}:8080/" for host in hosts)) == ["503", "500", "500", "404"]


def test_filters_redirect_rewrite_and_change_headers(edge):
    def filtered(kind, field, change, *services, prefix="/"):
        rule = to(*services, path=path(prefix))
        return {**rule, "filters": [{"type": kind, field: change}], "backendRefs": rule["backendRefs"]}

    new = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}
    full = {"type": "ReplaceFullPath", "replaceFullPath": "/full"}
    headers = {
        "set": [{"name": "X-Set", "value": "100%"}],
        "add": [{"name": "X-Add", "value": "b"}],
        "remove": ["X-Gone"],
    }
    edge.serve(
        route(
            "filters",
            filtered("RequestRedirect", "requestRedirect", {"scheme": "https", "statusCode": 301}, prefix="/secure"),
            filtered(
                "RequestRedirect", "requestRedirect", {"path": new, "hostname": "www.example.test"}, prefix="/old"
            ),
            filtered("URLRewrite", "urlRewrite", {"path": new, "hostname": "inside.test"}, "web", prefix="/prefix"),
            filtered("URLRewrite", "urlRewrite", {"path": full}, "web", prefix="/whole"),
            filtered("RequestHeaderModifier", "requestHeaderModifier", headers, "web", prefix="/headers"),
            filtered("ResponseHeaderModifier", "responseHeaderModifier", headers, "web", prefix="/answer"),
            hosts=("f.example.test",),
        )
    )
    at = "http://f.example.test:8080"
    assert edge.reply(f"{at}/secure/a?b=c").location == "https://f.example.test/secure/a?b=c"
    moved = edge.reply(f"{at}/old/a?b=c")
    assert (moved.code, moved.location) == (302, "http://www.example.test:8080/new/a?b=c")
    saw = edge.reply(f"{at}/prefix/a?b=c").saw
    assert (saw["path"], saw["host"]) == ("/new/a?b=c", "inside.test")
    assert edge.reply(f"{at}/whole/a?b=c").saw["path"] == "/full?b=c"
    saw = edge.reply(f"{at}/headers", headers={"X-Set": "a", "X-Add": "a", "X-Gone": "a"}).saw["headers"]
    assert (saw["x-set"], saw["x-add"], "x-gone" in saw) == ("100%", "a, b", False)
    told = {name.lower(): value for name, value in edge.reply(f"{at}/answer").headers.items()}
    assert (told["x-set"], told["x-add"]) == ("100%", "b")


def test_routes_of_other_namespaces_need_the_listeners_leave(edge, door):
    parents = [{"name": "edge", "namespace": "gateways", "sectionName": each} for each in ("http", "wild")]
    far = route("far", to("far"), hosts=("far.example.test",))
    far["spec"]["parentRefs"] = parents
    edge.team.apply(far)
    edge.team.wait("httproute/far", "ResolvedRefs")
    first, second = edge.team.conditions("httproute/far").of_type("Accepted")
    assert (first.holds, second.holds, second.reason) == (True, False, "NotAllowedByListeners")
    assert edge.ask("http://far.example.test/", "http://far.example.test:8080/") == ["team/far", "404"]
    edge.serve(route("near", to("web"), sectionName="http"))
    door.eventually(lambda: edge.reasons("httproute/near", "Accepted") == ["NotAllowedByListeners"])
    edge.lab.delete("httproute/near")


def test_a_service_of_another_namespace_needs_a_grant(edge, door):
    edge.serve(route("granted", to("team/far"), hosts=("granted.example.test",)))
    url = "http://granted.example.test:8080/"
    assert edge.ask(url) == ["500"]
    door.eventually(lambda: edge.reasons("httproute/granted", "ResolvedRefs") == ["RefNotPermitted"])
    edge.team.apply(grant("routes", "HTTPRoute", "Service"))
    door.eventually(lambda: edge.ask(url) == ["team/far"])
    edge.lab.wait("httproute/granted", "ResolvedRefs")
    edge.team.delete("referencegrant/routes")
    door.eventually(lambda: edge.ask(url) == ["500"])


def test_each_listener_shows_its_own_certificate_and_serves_its_own_routes(edge):
    edge.serve(
        route("tls", to("web"), hosts=("shop.example.test",), sectionName="https"),
        route("wild-tls", to("canary"), sectionName="wild-https"),
    )
    shop, wild = (edge.lab.tls(host, via="gateway/edge") for host in ("shop.example.test", "x.example.test"))
    assert shop.verified and wild.verified and shop.leaf != wild.leaf
    assert edge.ask("https://shop.example.test/", "https://x.example.test/") == ["web", "canary"]
    assert not edge.lab.tls("elsewhere.test", via="gateway/edge").verified
    assert edge.ask("https://elsewhere.test/", verify=False) == ["404"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_connection_for_one_listener_is_not_for_the_hosts_of_another(edge):
    address = edge.lab.get("gateway/edge")["status"]["addresses"][0]["value"]
    ask = f"curl -q --noproxy * -sk -o /dev/null -w %{{http_code}} --connect-to ::{address}:443".split()
    for host, expected in (("shop.example.test", "421"), ("nobody.test", "404"), ("y.example.test", "200")):
        done = edge.lab.cluster.outside.run([*ask, "-H", f"Host: {host}", "https://x.example.test/"])
        assert done.stdout == expected, host


def test_a_certificate_of_another_namespace_needs_a_grant(edge, door):
    edge.lab.certificate("far.test", secret="far", namespace="team")
    ref = {"name": "far", "namespace": "team"}
    listener = {
        "name": "far",
        "port": 443,
        "protocol": "HTTPS",
        "hostname": "far.test",
        "tls": {"certificateRefs": [ref]},
    }
    spec = {"gatewayClassName": "kubelab", "listeners": [listener]}
    edge.lab.apply({"apiVersion": API, "kind": "Gateway", "metadata": {"name": "borrower"}, "spec": spec})
    edge.lab.wait("gateway/borrower", "Accepted")

    def reason():
        rows = edge.lab.conditions("gateway/borrower").of_type("ResolvedRefs")
        return rows[0].reason if rows else ""

    assert reason() == "RefNotPermitted"
    assert not edge.lab.conditions("gateway/borrower").holds("Programmed")
    edge.team.apply(grant("gateways", "Gateway", "Secret"))
    edge.lab.wait("gateway/borrower", "Programmed")
    edge.lab.wait("gateway/borrower", "answers")
    assert edge.lab.tls("far.test", via="gateway/borrower").verified
    edge.lab.certificate("far.test", secret="far", namespace="team", mistake="garbled")
    door.eventually(lambda: reason() == "InvalidCertificateRef")
    assert edge.lab.tls("far.test", via="gateway/borrower").verified, "the last good certificate stays"
    edge.lab.delete("gateway/borrower")
    edge.system.wait("service/gateway-gateways-borrower", "deleted")


def test_a_changed_gateway_keeps_its_ports_and_says_of_which_generation_it_speaks(edge):

    def ports():
        listed = edge.system.get("service/gateway-gateways-edge")["spec"]["ports"]
        return {each["port"]: (each["targetPort"], each["nodePort"]) for each in listed}

    before, old = ports(), edge.lab.get("gateway/edge")
    more = {"name": "more", "port": 9000, "protocol": "HTTP"}
    changed = {name: old[name] for name in ("apiVersion", "kind")}
    spec = {**old["spec"], "listeners": [*old["spec"]["listeners"], more]}
    edge.lab.apply({**changed, "metadata": {"name": "edge"}, "spec": spec})
    edge.lab.wait("gateway/edge", "Programmed")
    edge.lab.wait("gateway/edge", "answers")
    assert {port: its for port, its in ports().items() if port != 9000} == before
    now = edge.lab.get("gateway/edge")
    for each in now["status"]["conditions"]:
        [earlier] = [one for one in old["status"]["conditions"] if one["type"] == each["type"]]
        assert each["observedGeneration"] == now["metadata"]["generation"] > earlier["observedGeneration"]
    assert edge.ask("http://x.example.test:9000/") == ["404"]


def test_what_other_controllers_say_of_a_route_stays(edge, door):
    edge.serve(route("shared", to("web"), hosts=("shared.example.test",)))
    found = edge.lab.get("httproute/shared")
    ref = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "theirs"}
    said = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    theirs = {"parentRef": ref, "controllerName": "example.test/other", "conditions": [said]}
    found["status"]["parents"].append(theirs)
    url = f"/apis/{API}/namespaces/gateways/httproutes/shared"
    edge.lab.api.request("PUT", f"{url}/status", body=found)
    edge.serve(route("shared", to("canary"), hosts=("shared.example.test",)))
    edge.lab.delete("referencegrant/none")
    door.eventually(lambda: theirs in edge.lab.get("httproute/shared")["status"]["parents"])
    assert len(edge.lab.get("httproute/shared")["status"]["parents"]) == 2


def test_gateways_of_other_classes_are_left_alone(edge):
    spec = {"gatewayClassName": "other", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]}
    edge.lab.apply({"apiVersion": API, "kind": "Gateway", "metadata": {"name": "foreign"}, "spec": spec})
    edge.serve(route("after", to("web"), hosts=("after.example.test",)))
    assert {row.status for row in edge.lab.conditions("gateway/foreign")} == {"Unknown"}


def test_a_gateway_whose_class_is_refused_or_gone_is_not_said_to_be_served(edge, door):
    spec = {"controllerName": "kubelab.dev/gateway-controller"}
    parameters = {"group": "", "kind": "ConfigMap", "name": "x"}
    fleeting = {"apiVersion": API, "kind": "GatewayClass", "metadata": {"name": "fleeting"}}
    listeners = [{"name": "web", "port": 80, "protocol": "HTTP"}]
    short = {"apiVersion": API, "kind": "Gateway", "metadata": {"name": "short"},
             "spec": {"gatewayClassName": "fleeting", "listeners": listeners}}  # fmt: skip

    def service_is_there():
        return any(each["metadata"]["name"] == "gateway-gateways-short" for each in edge.system.find("services"))

    edge.lab.apply([{**fleeting, "spec": {**spec, "parametersRef": parameters}}, short])
    door.eventually(lambda: edge.reasons("gateway/short", "Accepted") == ["InvalidParameters"])
    assert not service_is_there()
    edge.lab.delete("gatewayclass/fleeting")
    door.eventually(lambda: edge.reasons("gateway/short", "Programmed") == ["Pending"])
    edge.lab.apply([{**fleeting, "spec": spec}])
    door.eventually(lambda: edge.lab.conditions("gateway/short").holds("Programmed"))
    edge.lab.delete("gatewayclass/fleeting")
    door.eventually(lambda: edge.reasons("gateway/short", "Programmed") == ["Pending"])
    assert "addresses" not in edge.lab.get("gateway/short")["status"]
    door.eventually(lambda: not service_is_there())
    edge.lab.delete("gateway/short")
