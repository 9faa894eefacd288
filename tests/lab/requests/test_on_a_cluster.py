"""The specification's rows, the conformance features and whatever else chance makes up, against the real proxy."""

from __future__ import annotations

import itertools
import random

import pytest

from kubelab.lab.requests import listed, measure
from kubelab.routing.specification import HOST_ROWS, PATH_ROWS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

SERVICES = ("one", "two", "three", "rest")
SEED = 20261123


def ingress(name, rules, default=None):
    """``rules``: (host, [(path kind, path, Service)])."""
    spec = {
        "ingressClassName": "kubelab",
        **({"defaultBackend": backend(default)} if default else {}),
        **({"rules": [rule(host, paths) for host, paths in rules]} if rules else {}),
    }
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec}


def rule(host, paths):
    listed = [{"pathType": kind, "path": path, "backend": backend(to)} for kind, path, to in paths]
    return {**({"host": host} if host else {}), "http": {"paths": listed}}


def backend(name):
    return {"service": {"name": name, "port": {"name": "http"}}}


@pytest.fixture
def lab(cluster_with_servers):
    yield cluster_with_servers
    for each in cluster_with_servers.find("ingresses"):
        cluster_with_servers.delete(f"ingress/{each['metadata']['name']}")


def answered(lab, urls, via=""):
    """What came, as the objects ask for."""
    matrix = measure(lab, listed(urls), {}, via=via)
    assert [repr(cell) for cell in matrix.cells.values() if not cell.as_asked] == []
    return [cell.reply.words for cell in matrix.cells.values()]


def test_every_row_of_the_specification_holds(lab):
    urls, expected = [], []
    for row in PATH_ROWS:
        paths = list(zip(row.paths, SERVICES[:3], strict=False))
        host = f"row-{row.number}.test"
        rules = [(host, [(path.kind, path.value, to) for path, to in paths])]
        lab.apply(ingress(f"path-{row.number}", rules))
        winner = dict(paths)[row.winner] if row.winner else "404"
        urls += [f"http://{host}{path}" for path in row.requests]
        expected += [winner] * len(row.requests)
    assert answered(lab, urls) == expected
    lab.apply(ingress("default", [], default="rest"))
    assert answered(lab, urls) == ["rest" if words == "404" else words for words in expected]


@pytest.mark.parametrize("row", HOST_ROWS, ids=lambda row: f"{row.pattern or 'no host'} {row.host}")
def test_every_row_about_hosts_holds(lab, row):
    lab.apply(ingress("host", [(row.pattern, [("Prefix", "/", "one")])]))
    assert (
        answered(lab, [f"http://{row.host}/", f"http://{row.host.upper()}:80/"])
        == ["one" if row.matches else "404"] * 2
    )


def test_the_default_backend_answers_any_method_host_and_path(lab):
    lab.apply(ingress("default", [], default="rest"))
    lab.wait("ingress/default")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        replies = lab.requests("http://one.test/", "http://two.test/sub/path?x=1", method=method, body="salt")
        assert [(reply.words, reply.saw["method"]) for reply in replies] == [("rest", method)] * 2


def test_all_pods_of_a_service_answer_and_another_class_is_left_alone(lab):
    theirs = ingress("theirs", [("theirs.test", [("Prefix", "/", "one")])])
    theirs["spec"]["ingressClassName"] = "another"
    lab.apply(theirs)
    lab.apply(ingress("ours", [("ours.test", [("Prefix", "/", "one")])]))
    lab.wait("ingress/ours")
    assert lab.requests("http://ours.test/", n=100).fair(2)
    assert lab.requests("http://theirs.test/", via="ingress/ours").words == "404"
    assert (
        "loadBalancer" not in (lab.get("ingress/theirs").get("status") or {})
        or not lab.get("ingress/theirs")["status"]["loadBalancer"]
    )


def test_what_chance_makes_up_is_answered_as_it_is_computed(lab):
    draw = random.Random(SEED)
    hosts = ("a.test", "b.a.test", "*.a.test", "*.test", "")
    paths = [
        "/",
        *(f"/{'/'.join(pair)}" for count in (1, 2) for pair in itertools.product(("a", "b", "aa"), repeat=count)),
    ]
    lab.apply([made_up(draw, number, hosts, paths) for number in range(12)])
    asked_hosts = ("a.test", "b.a.test", "c.a.test", "d.c.a.test", "e.test", "nobody.example")
    endings = ("", "/", "/x", "x", "?q=/a/b")
    urls = {f"http://{draw.choice(asked_hosts)}{draw.choice(paths)}{draw.choice(endings)}" for _ in range(200)}
    odd = ("/a//b", "//a", "/a/../b", "/a/./b", "/%61", "/A", "/a%2Fb", "/a;b", "/a/b/.", "/a/b%20c")
    urls |= {f"http://{host}{path}" for host in asked_hosts for path in odd}
    words = answered(lab, sorted(urls))
    assert set(words) == {*SERVICES, "404", "503"}


def made_up(draw, number, hosts, paths):
    rules = [
        (host, [made_up_path(draw, path) for path in draw.sample(paths, draw.randint(1, 4))])
        for host in draw.sample(hosts, draw.randint(1, 2))
    ]
    return ingress(f"made-up-{number}", rules, default=draw.choice((*SERVICES, *[None] * 30)))


def made_up_path(draw, path):
    kind = draw.choice(("Exact", "Prefix", "ImplementationSpecific"))
    return kind, path + draw.choice(("", "/")) if path != "/" else path, draw.choice((*SERVICES, "gone"))
