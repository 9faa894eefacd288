"""HTTPRoutes that chance makes up: what the table says of a request is what the real proxy does with it."""

from __future__ import annotations

import itertools
import random

import pytest

from kubelab.lab.requests.settling import agrees
from kubelab.lab.waiting import Seen, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

API = "gateway.networking.k8s.io/v1"
SERVICES = ("one", "two", "three")
SEED = 7
HOSTS = ("a.test", "b.a.test", "*.a.test", "*.test")
ASKED = ("a.test", "b.a.test", "c.a.test", "d.c.a.test", "e.test", "nobody.example")
PATHS = ["/", *(f"/{'/'.join(pair)}" for count in (1, 2) for pair in itertools.product("ab", repeat=count))]
REDIRECTS = (
    {"scheme": "https"}, {"hostname": "x.test", "statusCode": 301}, {"port": 8443},
    {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}},
    {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}},
)  # fmt: skip


def match(draw, kinds):
    made = {"path": {"type": draw.choice(kinds), "value": draw.choice(PATHS)}}
    if draw.random() < 0.25:
        made["method"] = draw.choice(("GET", "POST"))
    if draw.random() < 0.25:
        made["headers"] = [{"name": "X-Version", "value": draw.choice("12")}]
    if draw.random() < 0.25:
        made["queryParams"] = [{"name": "q", "value": draw.choice("12")}]
    return made


def rule(draw):
    if draw.random() < 0.15:
        redirect = {"type": "RequestRedirect", "requestRedirect": draw.choice(REDIRECTS)}
        return {"matches": [match(draw, ["PathPrefix"])], "filters": [redirect]}
    names = ["gone"] if draw.random() < 0.1 else draw.sample(SERVICES, draw.randint(1, 2))
    backends = [{"name": name, "port": 80, "weight": draw.choice((0, 1, 3))} for name in names]
    return {"matches": [match(draw, ["Exact", "PathPrefix"]) for _ in range(2)], "backendRefs": backends}


def http_route(draw, number):
    spec = {"parentRefs": [{"name": "edge"}], "rules": [rule(draw) for _ in range(draw.randint(1, 3))]}
    if draw.random() < 0.7:
        spec["hostnames"] = draw.sample(HOSTS, draw.randint(1, 2))
    return {"apiVersion": API, "kind": "HTTPRoute", "metadata": {"name": f"made-up-{number}"}, "spec": spec}


@pytest.fixture
def lab(cluster_with_servers):
    lab = cluster_with_servers
    listeners = [
        {"name": "all", "port": 80, "protocol": "HTTP"},
        {"name": "below-a", "port": 80, "protocol": "HTTP", "hostname": "*.a.test"},
    ]
    spec = {"gatewayClassName": "kubelab", "listeners": listeners}
    lab.apply({"apiVersion": API, "kind": "Gateway", "metadata": {"name": "edge"}, "spec": spec})
    yield lab
    for kind in ("httproutes", "gateways"):
        base = f"/apis/{API}/namespaces/{lab.namespace}/{kind}"
        for each in lab.api.request("GET", base)["items"]:
            lab.api.request("DELETE", f"{base}/{each['metadata']['name']}")


def test_what_chance_makes_up_is_answered_as_it_is_computed(lab):
    draw = random.Random(SEED)
    lab.apply([http_route(draw, number) for number in range(25)])
    urls = [f"http://{host}{path}{end}" for host in ASKED for path in PATHS for end in ("", "/x?q=1")]
    seen = set()

    def disagreements():
        table, wrong = lab.routing(), []
        for method, headers in itertools.product(("GET", "POST"), ({}, {"x-version": "1"})):
            replies = lab.requests(*urls, method=method, headers=headers, via="gateway/edge")
            for url, reply in zip(urls, replies, strict=True):
                decision = lab.decide(url, method, headers, via="gateway/edge", at=table)
                seen.add(decision.words())
                wrong += [] if agrees(decision, reply, lab.namespace) else [f"{reply!r}, but {decision!r}"]
        return Seen(not wrong, "; ".join(wrong[:3]))

    until(lambda: Seen(bool(address(lab)), "none"), "The Gateway has no address", 30)
    until(disagreements, "Some request is answered otherwise", 10)
    assert len(seen) > 10


def address(lab):
    edge = lab.api.request("GET", f"/apis/{API}/namespaces/{lab.namespace}/gateways/edge")
    return (edge.get("status") or {}).get("addresses")
