import pytest

from kubelab.routing.model import HeaderChange, PathMatch, Redirect


def at_the_edge(make, *routes, **more):
    return make.build([make.gateway()], routes, **more)


def resolved(make, built):
    return make.condition(built.routes[0].parents[0].conditions, "ResolvedRefs")


def action(built):
    return built.table.entrances[0].listeners[0].hosts[0].routes[0].action


class TestPrecedence:
    @pytest.mark.parametrize(
        ("wins", "loses"),
        [
            ({"path": "/a", "kind": "Exact"}, {"path": "/a"}),
            ({"path": "/a/b"}, {"path": "/a"}),
            ({"path": "/a", "method": "GET"}, {"path": "/a"}),
            ({"path": "/a", "headers": [{"name": "X-New", "value": "1"}]}, {"path": "/a"}),
            ({"path": "/a", "method": "GET"}, {"path": "/a", "headers": [{"name": "x-new", "value": "1"}]}),
            ({"path": "/a", "queryParams": [{"name": "q", "value": "1"}]}, {"path": "/a"}),
            ({"path": "/a", "headers": [{"name": "x-new", "value": "1"}]},
             {"path": "/a", "queryParams": [{"name": "q", "value": "1"}]}),
            ({"path": "/a.*", "kind": "RegularExpression"}, {"path": "/a/b"}),
        ],
        ids=["exact", "longer", "method", "header", "method before header", "query", "header before query", "regex"],
    )  # fmt: skip
    @pytest.mark.parametrize("first", [True, False])
    def test_the_more_particular_rule_is_taken_wherever_it_stands(self, make, wins, loses, first):
        rules = [make.rule("new", **wins), make.rule("web", **loses)]
        built = at_the_edge(make, make.http_route("shop", *(rules if first else reversed(rules))))
        path = "/a/b" if wins["path"] in ("/a/b", "/a.*") else "/a"
        assert make.sent(built, f"http://shop.test{path}?q=1", headers=(("X-New", "1"),)) == "new"

    def test_among_equals_the_oldest_route_is_taken(self, make):
        old = make.http_route("z", make.rule("new", path="/a"), second=1)
        young = make.http_route("a", make.rule("web", path="/a"), second=2)
        assert make.sent(at_the_edge(make, young, old), "http://shop.test/a") == "new"

    def test_of_the_same_second_the_first_by_name_is_taken(self, make):
        routes = [make.http_route("b", make.rule("web")), make.http_route("a", make.rule("new"))]
        assert make.sent(at_the_edge(make, *routes), "http://shop.test/") == "new"

    def test_in_one_route_the_first_of_equal_rules_is_taken(self, make):
        built = at_the_edge(make, make.http_route("a", make.rule("new"), make.rule("web")))
        assert make.sent(built, "http://shop.test/") == "new"


class TestHosts:
    def test_rules_of_the_whole_name_come_before_those_of_a_wildcard(self, make):
        wide = make.http_route("wide", make.rule("web", path="/long/path"), hosts=["*.test"])
        narrow = make.http_route("narrow", make.rule("new"), hosts=["shop.test"])
        built = at_the_edge(make, wide, narrow)
        assert make.sent(built, "http://shop.test/long/path") == "new"
        assert make.sent(built, "http://other.test/long/path") == "web"

    def test_what_no_rule_of_the_name_matches_goes_on_to_the_wildcard(self, make):
        wide = make.http_route("wide", make.rule("web"), hosts=["*.test"])
        narrow = make.http_route("narrow", make.rule("new", path="/new"), hosts=["shop.test"])
        assert make.sent(at_the_edge(make, wide, narrow), "http://shop.test/") == "web"

    def test_a_wildcard_stands_for_several_labels_and_not_for_none(self, make):
        built = at_the_edge(make, make.http_route(hosts=["*.test"]))
        asked = ("http://a.test/", "http://a.b.test/", "http://test/")
        assert [make.sent(built, each) for each in asked] == ["web", "web", 404]

    def test_a_listener_keeps_its_hosts_from_the_wider_ones(self, make):
        listeners = make.listener("shop", hostname="shop.test"), make.listener("any")
        only_any = make.http_route(parents=[{"name": "edge", "sectionName": "any"}])
        built = make.build([make.gateway(*listeners)], [only_any])
        assert [make.sent(built, each) for each in ("http://shop.test/", "http://other.test/")] == [404, "web"]


class TestBackends:
    def test_weights_are_shares_one_by_default_and_zero_takes_no_part(self, make):
        refs = [
            {"name": "web", "port": 80, "weight": 9},
            {"name": "new", "port": 80},
            {"name": "api", "weight": 0, "port": 80},
        ]
        built = at_the_edge(make, make.http_route("shop", make.rule(*refs)))
        assert make.sent(built, "http://shop.test/") == {"web": 9, "new": 1}

    @pytest.mark.parametrize(
        ("ref", "reason"),
        [
            ({"name": "gone", "port": 80}, "BackendNotFound"),
            ({"name": "web", "port": 81}, "BackendNotFound"),
            ({"name": "web"}, "BackendNotFound"),
            ({"name": "web", "port": 80, "kind": "Bucket", "group": "storage.test"}, "InvalidKind"),
            ({"name": "web", "port": 80, "namespace": "vault"}, "RefNotPermitted"),
        ],
    )
    def test_a_reference_that_leads_nowhere_is_told_and_answered_with_500(self, make, ref, reason):
        built = at_the_edge(make, make.http_route("shop", make.rule(ref)))
        assert (resolved(make, built), make.sent(built, "http://shop.test/")) == (reason, 500)

    def test_of_two_backends_only_the_wrong_ones_share_fails(self, make):
        built = at_the_edge(make, make.http_route("shop", make.rule("web", "gone")))
        assert make.sent(built, "http://shop.test/") == {"web": 1, 500: 1}

    def test_a_service_of_another_namespace_can_be_granted(self, make):
        route = make.http_route("shop", make.rule({"name": "db", "port": 80, "namespace": "vault"}))
        granted = [make.grant("vault", "HTTPRoute", "infra", "Service")]
        built = at_the_edge(make, route, services=[make.service("db", "vault")], reference_grants=granted)
        assert (resolved(make, built), make.sent(built, "http://shop.test/")) == (True, "db")

    def test_without_backends_or_with_none_that_takes_part_it_is_500(self, make):
        idle = make.rule({"name": "web", "port": 80, "weight": 0}, path="/idle")
        built = at_the_edge(make, make.http_route("shop", make.rule(path="/none"), idle))
        assert [make.sent(built, f"http://shop.test{path}") for path in ("/none", "/idle", "/")] == [500, 500, 404]

    def test_a_backend_that_wants_tls_is_told_that_it_gets_none(self, make):
        built = at_the_edge(make, make.http_route(), services=[make.service("web", appProtocol="https")])
        assert resolved(make, built) == "UnsupportedProtocol"


class TestFilters:
    def with_filters(self, make, *listed, **more):
        return at_the_edge(make, make.http_route("shop", make.rule("web", filters=list(listed), **more)))

    def test_headers_are_set_added_and_removed_on_either_way(self, make):
        change = {"set": [{"name": "a", "value": "1"}], "add": [{"name": "b", "value": "2"}], "remove": ["c"]}
        forward = action(
            self.with_filters(
                make,
                {"type": "RequestHeaderModifier", "requestHeaderModifier": change},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["d"]}},
            )
        )
        assert forward.request_headers == HeaderChange((("a", "1"),), (("b", "2"),), ("c",))
        assert forward.response_headers == HeaderChange(remove=("d",))

    def test_a_redirect_changes_what_it_names(self, make):
        wish = {"scheme": "https", "port": 8443, "statusCode": 301,
                "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"}}  # fmt: skip
        built = self.with_filters(make, {"type": "RequestRedirect", "requestRedirect": wish})
        assert action(built) == Redirect(301, "https", "", 8443, PathMatch("Prefix", "/new"))

    def test_a_redirect_is_302_by_default(self, make):
        built = self.with_filters(make, {"type": "RequestRedirect", "requestRedirect": {"hostname": "new.test"}})
        assert action(built) == Redirect(302, host="new.test")

    def test_host_and_path_can_be_rewritten(self, make):
        wish = {"hostname": "in.test", "path": {"type": "ReplaceFullPath", "replaceFullPath": "/all"}}
        forward = action(self.with_filters(make, {"type": "URLRewrite", "urlRewrite": wish}))
        assert (forward.rewrite_host, forward.rewrite_path) == ("in.test", PathMatch("Exact", "/all"))

    def test_a_filter_that_is_not_served_is_never_left_out_silently(self, make):
        built = self.with_filters(make, {"type": "RequestMirror", "requestMirror": {}})
        assert make.condition(built.routes[0].parents[0].conditions, "Accepted") == "UnsupportedValue"
        assert make.sent(built, "http://shop.test/") == 404

    def test_where_only_some_rules_ask_for_it_the_others_are_served(self, make):
        mirror = make.rule("web", path="/mirror", filters=[{"type": "RequestMirror"}])
        built = at_the_edge(make, make.http_route("shop", make.rule("web"), mirror))
        conditions = {each.type: each.status for each in built.routes[0].parents[0].conditions}
        assert conditions == {"Accepted": True, "ResolvedRefs": True, "PartiallyInvalid": True}
        assert [make.sent(built, f"http://shop.test{path}") for path in ("/", "/mirror")] == ["web", 500]

    @pytest.mark.parametrize(
        ("text", "seconds"), [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("0s", 0), ("1h1m1s1ms", 3661.001)]
    )
    def test_timeouts_are_durations(self, make, text, seconds):
        built = at_the_edge(make, make.http_route("shop", make.rule("web", timeouts={"request": text})))
        assert action(built).timeout_seconds == pytest.approx(seconds)
        assert action(built).backend_timeout_seconds is None


@pytest.mark.parametrize("text", ["/([", "/(?=a)", r"/(a)\1", "/a{5000}", "/a++", "/(?P=x)"])
def test_an_expression_that_the_proxy_cannot_read_is_left_out_and_said(make, text):
    bad = make.http_route("bad", make.rule("new", path=text, kind="RegularExpression"), second=1)
    built = make.build([make.gateway()], [make.http_route("good"), bad])
    said = {status.name.name: status.parents[0].conditions for status in built.routes}
    assert make.condition(said["bad"], "Accepted") == "UnsupportedValue"
    assert make.condition(said["good"], "Accepted") is True
    kinds = [route.match.path.kind for host in built.table.entrances[0].listeners[0].hosts for route in host.routes]
    assert "RegularExpression" not in kinds


@pytest.mark.parametrize("text", ["/v[0-9]+/.*", "(?i)/a|/b", "/(?P<n>a)?", r"/\d{1,3}", "/a.+"])
def test_ordinary_expressions_are_served(make, text):
    built = make.build(
        [make.gateway()], [make.http_route("good", make.rule("web", path=text, kind="RegularExpression"))]
    )
    assert make.condition(built.routes[0].parents[0].conditions, "Accepted") is True


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "X", "value": "a\nb"}]}},
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "X", "value": "a\r"}]}},
        {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["Host"]}},
        {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplaceFullPath", "replaceFullPath": "/a\nb"}}},
    ],
    ids=lambda wanted: wanted["type"],
)
def test_what_the_proxy_would_refuse_with_all_its_ports_routes_is_refused_alone(make, wanted):
    built = make.build([make.gateway()], [make.http_route("bad", make.rule("web", filters=[wanted]))])
    assert make.condition(built.routes[0].parents[0].conditions, "Accepted") == "UnsupportedValue"
