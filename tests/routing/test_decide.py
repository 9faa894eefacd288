"""`decide`: the specification's rows, the behaviours of the conformance features, and the reasons that are given."""

from __future__ import annotations

import pytest

from kubelab.routing.decide import decide
from kubelab.routing.model import (
    Backend,
    Endpoint,
    Entrance,
    Forward,
    Listener,
    Match,
    ObjectName,
    Origin,
    PathMatch,
    Redirect,
    Route,
    ServicePort,
    Table,
    Upstream,
    ValueMatch,
    VirtualHost,
)
from kubelab.routing.request import Request
from kubelab.routing.specification import HOST_ROWS, PATH_ROWS

HOST = "shop.example.test"


def service_of(path):
    """A name a path may have: ``prefix-aaa-bbb``."""
    return f"{path.kind.lower()}{path.value.replace('/', '-')}".rstrip("-") + (
        "-slash" if path.value[-1] == "/" else ""
    )


def one_host(make, *paths, host=HOST, **more):
    return make.table(
        make.ingress(rules=[(host, [(path.kind, path.value, service_of(path)) for path in paths])], **more)
    )


def answer(table, url, **more):
    return decide(table, Request.of(url, **more)).words()


class TestTheSpecification:
    @pytest.mark.parametrize("row", PATH_ROWS, ids=lambda row: f"row {row.number}")
    def test_paths(self, make, row):
        table = one_host(make, *row.paths, default="rest")
        expected = service_of(row.winner) if row.winner else "rest"
        assert [answer(table, f"http://{HOST}{path}") for path in row.requests] == [expected] * len(row.requests)

    @pytest.mark.parametrize("row", [row for row in PATH_ROWS if not row.winner], ids=lambda row: f"row {row.number}")
    def test_what_does_not_match_is_404_without_a_default_backend(self, make, row):
        assert answer(one_host(make, *row.paths), f"http://{HOST}{row.requests[0]}") == "404"

    @pytest.mark.parametrize("row", HOST_ROWS, ids=lambda row: f"{row.pattern or 'no host'} {row.host}")
    def test_hosts(self, make, row):
        table = make.table(make.ingress(rules=[(row.pattern, [("Prefix", "/", "web")])]))
        assert answer(table, f"http://{row.host}/") == ("web" if row.matches else "404")
        assert answer(table, f"https://{row.host}/") == ("web" if row.matches else "404")


class TestConformance:
    """The scenarios of ingress-controller-conformance's features that a table decides."""

    PATHS = (
        PathMatch("Exact", "/foo"),
        PathMatch("Prefix", "/bar"),
        PathMatch("Prefix", "/aaa/bbb"),
        PathMatch("Prefix", "/aaa"),
        PathMatch("Exact", "/mixed"),
        PathMatch("Prefix", "/mixed"),
        PathMatch("Prefix", "/trailing/"),
        PathMatch("Exact", "/exact-slash/"),
    )

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/foo", "exact-foo"),
            ("/foo/", "404"),
            ("/FOO", "404"),
            ("/foobar", "404"),
            ("/bar", "prefix-bar"),
            ("/bar/", "prefix-bar"),
            ("/bar/deeper", "prefix-bar"),
            ("/BAR", "404"),
            ("/barxyz", "404"),
            ("/aaa/bbb/ccc", "prefix-aaa-bbb"),
            ("/aaa/ccc", "prefix-aaa"),
            ("/aaaccc", "404"),
            ("/mixed", "exact-mixed"),
            ("/mixed/", "prefix-mixed"),
            ("/trailing", "prefix-trailing-slash"),
            ("/trailing/", "prefix-trailing-slash"),
            ("/exact-slash", "404"),
            ("/exact-slash/", "exact-exact-slash-slash"),
        ],
    )
    def test_path_rules(self, make, path, expected):
        assert answer(one_host(make, *self.PATHS), f"http://{HOST}{path}") == expected

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_default_backend_answers_any_method_host_and_path(self, make, method):
        table = make.table(make.ingress(default="rest"))
        for url in ("http://one.test/", "http://two.test/sub/path?x=1", "http://192.0.2.1:80/"):
            assert answer(table, url, method=method) == "rest"

    def test_host_rules(self, make):
        rules = [("foo.bar.com", [("Prefix", "/", "foo")]), ("*.foo.com", [("Prefix", "/", "wild")])]
        tls = [{"hosts": ["foo.bar.com"], "secretName": "cert"}]
        table = make.table(make.ingress(rules=rules, tls=tls), secrets=[make.secret("cert")])
        secure = decide(table, Request.of("https://foo.bar.com/"))
        assert (secure.words(), secure.certificate.secret.name) == ("foo", "cert")
        assert answer(table, "http://foo.bar.com/") == "foo"
        assert answer(table, "http://subdomain.bar.com/") == "404"
        assert answer(table, "http://bar.foo.com/") == "wild"
        assert answer(table, "http://baz.bar.foo.com/") == "404"
        assert answer(table, "http://foo.com/") == "404"


class TestHosts:
    @pytest.mark.parametrize("host", ["SHOP.Example.Test", "shop.example.test:80", "shop.example.test."])
    def test_case_port_and_the_last_dot_do_not_count(self, make, host):
        table = one_host(make, PathMatch("Prefix", "/"))
        assert decide(table, Request(host)).words() == "prefix-slash"

    def test_the_name_comes_before_the_wildcard_and_that_before_no_host_and_none_falls_through(self, make):
        rules = [
            ("a.foo.com", [("Prefix", "/name", "name")]),
            ("*.foo.com", [("Prefix", "/wild", "wild")]),
            (None, [("Prefix", "/none", "none")]),
        ]
        table = make.table(make.ingress(rules=rules))
        hosts = ("a.foo.com", "b.foo.com", "a.b.foo.com")
        found = [[answer(table, f"http://{host}/{path}") for path in ("name", "wild", "none")] for host in hosts]
        assert found == [["name", "404", "404"], ["404", "wild", "404"], ["404", "404", "none"]]

    def test_the_certificate_is_that_of_the_name_the_client_asks_for_the_rule_that_of_the_host(self, make):
        rules = [("a.test", [("Prefix", "/", "a")]), ("b.test", [("Prefix", "/", "b")])]
        tls = [{"hosts": ["a.test"], "secretName": "a"}, {"hosts": ["*.test"], "secretName": "all"}]
        table = make.table(make.ingress(rules=rules, tls=tls), secrets=[make.secret("a"), make.secret("all")])
        served = [
            (None, "a.test"),
            ("a.test", "b.test"),
            ("c.test", "b.test"),
            ("deep.c.test", "b.test"),
            ("other.example", "a.test"),
        ]
        decisions = [decide(table, Request.of(f"https://{host}/", sni=sni)) for sni, host in served]
        assert [each.certificate.secret.name if each.certificate else None for each in decisions] == [
            "a",
            "a",
            "all",
            "all",
            None,
        ]
        assert [each.words() for each in decisions] == ["a", "b", "b", "b", "a"]


class TestReasons:
    def why(self, table, url):
        decision = decide(table, Request.of(url))
        return [decision.because, *(each.words for each in decision.others)]

    @pytest.mark.parametrize(
        ("path", "request_path", "why"),
        [
            (PathMatch("Exact", "/foo"), "/foo/", "Exact /foo is not /foo/: the last slash counts"),
            (PathMatch("Exact", "/foo"), "/FOO", "Exact /foo is not /FOO: case counts"),
            (PathMatch("Exact", "/foo"), "/bar", "Exact /foo is not /bar"),
            (PathMatch("Prefix", "/aaa/bb"), "/aaa/bbb", "Prefix /aaa/bb: the element bbb is not bb"),
            (PathMatch("Prefix", "/aaa/bbb"), "/aaa", "Prefix /aaa/bbb: /aaa ends before the element bbb"),
            (PathMatch("Prefix", "/foo"), "/", "Prefix /foo: / ends before the element foo"),
            (PathMatch("Prefix", "/foo"), "//foo", "Prefix /foo: the element between two slashes is not foo"),
            (PathMatch("Prefix", "/foo"), "/Foo/x", "Prefix /foo: the element Foo is not foo, case counts"),
        ],
    )
    def test_why_a_path_does_not_match(self, make, path, request_path, why):
        assert self.why(one_host(make, path), f"http://{HOST}{request_path}") == [
            f"no path for {HOST} matches {request_path}, and there is no default backend",
            why,
        ]

    def test_why_another_path_that_matches_is_not_the_one(self, make):
        paths = [PathMatch("Prefix", "/"), PathMatch("Prefix", "/foo"), PathMatch("Exact", "/foo")]
        assert self.why(one_host(make, *paths, default="rest"), f"http://{HOST}/foo") == [
            "Exact comes before Prefix",
            f"Prefix /foo for {HOST}: matches too, but Exact comes before Prefix",
            f"Prefix / for {HOST}: matches too, but Exact /foo is longer",
            f"default backend for {HOST}: only when no path matches",
        ]

    @pytest.mark.parametrize(
        ("pattern", "host", "why"),
        [
            ("*.foo.com", "baz.bar.foo.com", "* stands for exactly one label, and baz.bar is two"),
            ("*.foo.com", "foo.com", "* stands for exactly one label, and foo.com has none in front"),
            ("*.foo.com", "bar.com", "bar.com does not end in .foo.com"),
            ("foo.com", "bar.com", "bar.com is not foo.com"),
        ],
    )
    def test_why_a_host_is_not_the_one(self, make, pattern, host, why):
        table = make.table(make.ingress(rules=[(pattern, [("Prefix", "/", "web")])]))
        assert self.why(table, f"http://{host}/") == [
            f"no rule is for host {host}, and there is no default backend",
            f"Prefix / for {pattern}: {why}",
        ]

    def test_a_decision_says_what_is_missing(self, make):
        table = make.table(make.ingress(rules=[(HOST, [("Prefix", "/", "web")])]), services=[make.service("web")])
        decision = decide(table, Request.of(f"http://{HOST}/"))
        assert decision.status == 503
        assert decision.sentence == f"503: Prefix / for {HOST}, Service web has no ready endpoint"

    def test_a_sentence_is_its_repr(self, make):
        decision = decide(one_host(make, PathMatch("Prefix", "/")), Request.of(f"http://{HOST}/x?y"))
        assert repr(decision) == f"Decision(prefix-slash: Prefix / for {HOST}, the only rule that matches)"
        assert f"Prefix / for {HOST}, the only rule that matches</b>" in decision._repr_html_()

    def test_a_port_without_entrance_is_an_error(self, make):
        with pytest.raises(LookupError, match="no entrance at port 8443"):
            decide(make.table(), Request.of("https://a.test:8443/"))


class TestRoutesOfTheGatewayAPI:
    """What only they ask for: methods, headers, queries, weights, redirects, listeners."""

    WEB, CANARY = ServicePort("shop", "web", 80), ServicePort("shop", "canary", 80)
    ORIGIN = Origin(ObjectName("HTTPRoute", "shop", "web"), "spec.rules[0]")

    def table(self, *routes, **entrance):
        upstream = Upstream((Endpoint("10.244.1.1", 8080),))
        listener = Listener(hosts=(VirtualHost("*.example.test", routes, "any labels"),))
        entrance = {"port": 80, "listeners": (listener,), **entrance}
        return Table((Entrance(**entrance),), {self.WEB: upstream, self.CANARY: upstream})

    def route(self, action=None, **match):
        return Route(Match(**match), action or Forward((Backend(self.WEB),)), self.ORIGIN)

    def test_a_wildcard_stands_for_any_labels(self):
        table = self.table(self.route())
        assert [answer(table, f"http://{host}/") for host in ("a.b.example.test", "example.test")] == ["web", "404"]

    def test_method_headers_and_query_must_all_be_there(self):
        wanted = {"headers": (ValueMatch("x-canary", "y.*", True),), "query": (ValueMatch("v", "2"),), "method": "POST"}
        table = self.table(self.route(Forward((Backend(self.CANARY),)), **wanted), self.route())
        given = {"method": "POST", "headers": (("X-Canary", "yes"),)}
        assert answer(table, "http://a.example.test/?v=2", **given) == "canary"
        assert decide(table, Request.of("http://a.example.test/?v=2", **given)).because == (
            "a rule with a method comes before one without"
        )
        for url, request, why in [
            ("/?v=1", given, "the query parameter v is not 2"),
            ("/?v=2", {**given, "headers": ()}, "the header x-canary is not y.*"),
            ("/?v=2", {**given, "method": "GET"}, "the method is GET, not POST"),
        ]:
            decision = decide(table, Request.of(f"http://a.example.test{url}", **request))
            assert (decision.words(), decision.others[0].why) == ("web", why)

    def test_weights_are_shares_and_each_backend_is_ready_or_not(self):
        gone = Backend(ServicePort("shop", "gone", 80), 1)
        table = self.table(self.route(Forward((Backend(self.WEB, 8), Backend(self.CANARY, 1), gone))))
        decision = decide(table, Request.of("http://a.example.test/"))
        assert decision.words() == "web 80%, canary 10%, 503 10%"
        assert decision.status is None and decision.services == (self.WEB, self.CANARY)

    def test_without_any_weight_it_is_500(self):
        assert answer(self.table(self.route(Forward((Backend(self.WEB, 0),)))), "http://a.example.test/") == "500"

    @pytest.mark.parametrize(
        ("redirect", "expected"),
        [
            (Redirect(301, scheme="https"), "301 https://a.example.test/old/x?y"),
            (Redirect(302, host="b.test"), "302 http://b.test:8080/old/x?y"),
            (Redirect(302, port=80, path=PathMatch("Prefix", "/new/")), "302 http://a.example.test/new/x?y"),
            (Redirect(302, port=80, path=PathMatch("Prefix", "/")), "302 http://a.example.test/x?y"),
            (Redirect(302, port=80, path=PathMatch("Exact", "/all")), "302 http://a.example.test/all?y"),
        ],
    )
    def test_a_redirect_says_where_it_leads(self, redirect, expected):
        table = self.table(self.route(redirect, path=PathMatch("Prefix", "/old")), port=8080)
        assert answer(table, "http://a.example.test:8080/old/x?y") == expected

    def test_the_listener_is_the_one_whose_name_fits_best_and_no_other_is_asked(self):
        hosts = VirtualHost("", (self.route(),))
        listeners = (Listener("", (hosts,)), Listener("*.example.test", ()))
        table = self.table(listeners=listeners, port=443, tls=True)
        assert answer(table, "https://a.example.test/") == "404"
        assert answer(table, "https://a.other.test/") == "web"
        assert answer(table, "https://b.other.test/", sni="a.other.test") == "web"

    @pytest.mark.parametrize("sni", ["a.other.test", ""])
    def test_a_connection_for_one_listener_is_not_for_the_hosts_of_another(self, sni):
        hosts = VirtualHost("", (self.route(),))
        listeners = (Listener("*.example.test", (hosts,)), Listener("a.other.test", ()))
        table = self.table(listeners=listeners, port=443, tls=True)
        assert answer(table, "https://a.example.test/", sni=sni) == "421"
        assert answer(table, "https://nobody.test/", sni=sni) == "404"


def test_a_host_header_of_ones_own_decides_and_the_urls_host_is_what_the_handshake_asks_for(make):
    table = one_host(make, PathMatch("Prefix", "/"))
    headers = (("Host", HOST.upper()),)
    assert answer(table, "http://elsewhere.test/", headers=headers) == "prefix-slash"
    assert Request.of("https://elsewhere.test/", headers=headers).sni == "elsewhere.test"


@pytest.mark.parametrize(("url", "said"), [(f"http://{HOST}:443/", "https://"), (f"https://{HOST}:80/", "http://")])
def test_who_does_not_speak_as_the_port_does_is_told_so(make, url, said):
    with pytest.raises(LookupError, match=f"write {said}"):
        answer(one_host(make, PathMatch("Prefix", "/")), url)


@pytest.mark.parametrize("url", ["http://a.test:99999/", "http://me:word@a.test/", "ftp://a.test:21/", "http://"])
def test_what_is_no_url_of_a_request_is_said(url):
    with pytest.raises(ValueError, match=r"write http://HOST/PATH|write HOST:PORT"):
        Request.of(url)
