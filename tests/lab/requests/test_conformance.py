"""What the features of the project ingress-controller-conformance ask for and the specification's rows do not say.

https://github.com/kubernetes-sigs/ingress-controller-conformance/tree/master/features (f91a799): path rules and host
rules as one Ingress each, HTTPS with a verified name, and ten pods that all answer.
"""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

EXACT = [("Exact", "/foo", "one")]
PREFIX = [("Prefix", "/foo", "one"), ("Prefix", "/aaa/bbb", "two"), ("Prefix", "/aaa", "three")]
MIXED = [("Prefix", "/foo", "two"), ("Exact", "/foo", "one")]
SLASHES = [("Prefix", "/aaa/bbb/", "two"), ("Exact", "/foo/", "one")]

PATHS = {
    "exact/foo": "one",
    "exact/foo/": "404",
    "exact/FOO": "404",
    "exact/bar": "404",
    "prefix/foo": "one",
    "prefix/foo/": "one",
    "prefix/FOO": "404",
    "prefix/aaa/bbb": "two",
    "prefix/aaa/bbb/ccc": "two",
    "prefix/aaa/ccc": "three",
    "prefix/aaaccc": "404",
    "mixed/foo": "one",
    "slashes/aaa/bbb": "two",
    "slashes/aaa/bbb/": "two",
    "slashes/foo": "404",
}
"""Host and path → who answers. One of the sixteen scenarios is there twice."""

SUITE_HOSTS = {
    "foo.bar.com": "one",
    "subdomain.bar.com": "404",
    "bar.foo.com": "two",
    "baz.bar.foo.com": "404",
    "foo.com": "404",
}


@pytest.fixture
def lab(cluster_with_servers):
    yield cluster_with_servers
    for each in cluster_with_servers.find("ingresses"):
        cluster_with_servers.delete(f"ingress/{each['metadata']['name']}")


def rule(host, *paths):
    listed = [
        {"pathType": kind, "path": path, "backend": {"service": {"name": to, "port": {"name": "http"}}}}
        for kind, path, to in paths
    ]
    return {"host": host, "http": {"paths": listed}}


def serve(lab, name, *rules, **spec):
    """Apply an Ingress and wait until it has an address and its paths are answered."""
    spec = {"rules": list(rules), **spec}
    lab.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name}, "spec": spec})
    lab.wait(f"ingress/{name}")


def test_paths_are_matched_whole_by_elements_and_in_their_own_case(lab):
    rules = [rule("exact", *EXACT), rule("prefix", *PREFIX), rule("mixed", *MIXED), rule("slashes", *SLASHES)]
    serve(lab, "paths", *rules)
    replies = lab.requests(*(f"http://{place}" for place in PATHS), via="ingress/paths")
    assert {place: reply.words for place, reply in zip(PATHS, replies, strict=True)} == PATHS
    assert [reply.saw["path"] for reply in replies if reply.saw] == [
        place[place.index("/") :] for place, who in PATHS.items() if who != "404"
    ]


def test_hosts_are_matched_with_and_without_tls_and_the_certificate_is_for_the_name(lab):
    certificate = lab.certificate("foo.bar.com", "*.foo.com", secret="conformance-tls")
    rules = [rule("*.foo.com", ("Prefix", "/", "two")), rule("foo.bar.com", ("Prefix", "/", "one"))]
    serve(lab, "hosts", *rules, tls=[{"hosts": ["foo.bar.com", "*.foo.com"], "secretName": "conformance-tls"}])
    for scheme in ("http", "https"):
        replies = lab.requests(*(f"{scheme}://{host}/" for host in SUITE_HOSTS), via="ingress/hosts", verify=False)
        assert {host: reply.words for host, reply in zip(SUITE_HOSTS, replies, strict=True)} == SUITE_HOSTS
    assert [reply.verified for reply in replies] == [True, False, True, False, False]
    assert lab.tls("foo.bar.com").fingerprint == certificate.fingerprint
    assert lab.requests("https://foo.bar.com/")[0].saw["host"] == "foo.bar.com"


def test_a_hundred_requests_reach_all_ten_pods(lab):
    lab.scale("deployment/one", 10)
    serve(lab, "ten", rule("ten.test", ("Prefix", "/", "one")))
    try:
        assert len(lab.requests("http://ten.test/", n=100).pods) == 10
    finally:
        lab.scale("deployment/one", 2)
