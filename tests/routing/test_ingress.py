"""`kubelab.routing.ingress.table`: Ingresses of API server's shape in, routes in order of precedence out."""

from __future__ import annotations

import pytest

from kubelab.routing.model import Endpoint, Forward, ObjectName, Respond, ServicePort, Upstream

HOST = "shop.example.test"


def routes(table, host=HOST, port=80):
    (entrance,) = (each for each in table.entrances if each.port == port)
    (found,) = (each for each in entrance.listeners[0].hosts if each.host == host)
    return [(each.match.path.kind, each.match.path.value, to(each.action)) for each in found.routes]


def to(action):
    return action.backends[0].service.service if isinstance(action, Forward) else action.status


def hosts(table):
    return [each.host for each in table.entrances[0].listeners[0].hosts]


def problems(table):
    return [(each.reason, str(each.origin)) for each in table.problems]


def test_the_longest_path_is_first_and_exact_before_prefix_whatever_the_yaml_says(make):
    paths = [
        ("Prefix", "/", "all"),
        ("Prefix", "/aaa", "short"),
        ("Prefix", "/aaa/bbb/", "long"),
        ("Exact", "/aaa", "exact"),
    ]
    expected = [
        ("Prefix", "/aaa/bbb/", "long"),
        ("Exact", "/aaa", "exact"),
        ("Prefix", "/aaa", "short"),
        ("Prefix", "/", "all"),
    ]
    assert routes(make.table(make.ingress(rules=[(HOST, paths)]))) == expected
    assert routes(make.table(make.ingress(rules=[(HOST, paths[::-1])]))) == expected


def test_implementation_specific_is_prefix_and_an_empty_path_is_all(make):
    paths = [("ImplementationSpecific", "", "all"), ("ImplementationSpecific", "/a", "a")]
    assert routes(make.table(make.ingress(rules=[(HOST, paths)]))) == [("Prefix", "/a", "a"), ("Prefix", "/", "all")]


def test_whole_names_come_before_wildcards_and_those_before_no_host(make):
    rules = [(host, [("Prefix", "/", "web")]) for host in (None, "*.b.test", "b.test", "*.a.b.test")]
    assert hosts(make.table(make.ingress(rules=rules))) == ["b.test", "*.a.b.test", "*.b.test", ""]


def test_the_same_hosts_are_served_on_80_and_443(make):
    made = make.table(make.ingress(rules=[(HOST, [("Prefix", "/", "web")])]))
    assert [(each.port, each.tls) for each in made.entrances] == [(80, False), (443, True)]
    assert routes(made, port=80) == routes(made, port=443) == [("Prefix", "/", "web")]


def test_one_host_of_several_ingresses_and_namespaces_is_put_together(make):
    made = make.table(
        make.ingress("a", [(HOST, [("Prefix", "/a", "one")])]),
        make.ingress("b", [(HOST, [("Prefix", "/b", "two")])], namespace="other"),
    )
    assert routes(made) == [("Prefix", "/a", "one"), ("Prefix", "/b", "two")]
    assert set(made.upstreams) == {ServicePort("shop", "one", 80), ServicePort("other", "two", 80)}


@pytest.mark.parametrize(
    ("first", "second"),
    [(("Prefix", "/foo"), ("Prefix", "/foo/")), (("Prefix", "/foo"), ("ImplementationSpecific", "/foo"))],
)
def test_the_older_of_two_ingresses_has_the_path_and_the_younger_is_told(make, first, second):
    old = make.ingress("z", [(HOST, [(*first, "old")])], second=1)
    young = make.ingress("a", [(HOST, [(*second, "young")])], second=2)
    made = make.table(young, old)
    assert routes(made) == [(*first, "old")]
    assert problems(made) == [("PathConflict", "Ingress shop/a spec.rules[0].http.paths[0]")]
    assert "Ingress shop/z" in made.problems[0].message


def test_of_the_same_second_the_first_by_namespace_and_name_is_the_older(make):
    made = make.table(
        make.ingress("a", [(HOST, [("Exact", "/", "later")])], namespace="b"),
        make.ingress("z", [(HOST, [("Exact", "/", "sooner")])], namespace="a"),
    )
    assert routes(made) == [("Exact", "/", "sooner")]


def test_exact_and_prefix_of_one_path_do_not_contradict_each_other(make):
    made = make.table(make.ingress(rules=[(HOST, [("Prefix", "/foo", "p"), ("Exact", "/foo", "e")])]))
    assert routes(made) == [("Exact", "/foo", "e"), ("Prefix", "/foo", "p")]
    assert not made.problems


class TestClasses:
    def test_only_ingresses_whose_class_names_the_controller_are_served(self, make):
        rules = [(HOST, [("Prefix", "/", "web")])]
        made = make.table(
            make.ingress("mine", rules),
            make.ingress("theirs", rules, cls="other"),
            make.ingress("nobodys", rules, cls="typo"),
            make.ingress("without", rules, cls=None),
            classes=[make.ingress_class(), make.ingress_class("other", "example.com/controller")],
        )
        assert made.served == (ObjectName("Ingress", "shop", "mine"),)
        assert not made.problems

    def test_the_old_annotation_names_a_class_where_the_field_does_not(self, make):
        rules, annotations = [(HOST, [("Prefix", "/", "web")])], {"kubernetes.io/ingress.class": "kubelab"}
        made = make.table(
            make.ingress("old", rules, cls=None, annotations=annotations),
            make.ingress("both", rules, cls="other", annotations=annotations),
        )
        assert [each.name for each in made.served] == ["old"]

    def test_a_class_with_parameters_is_refused_and_its_ingresses_say_so(self, make):
        parameters = {"apiGroup": "example.com", "kind": "Settings", "name": "fast"}
        made = make.table(
            make.ingress(rules=[(HOST, [("Prefix", "/", "web")])]), classes=[make.ingress_class(parameters=parameters)]
        )
        assert made.served == ()
        assert problems(made) == [
            ("ClassParameters", "IngressClass kubelab spec.parameters"),
            ("ClassParameters", "Ingress shop/web spec.ingressClassName"),
        ]


class TestDefaultBackend:
    def test_an_ingress_without_rules_gets_everything(self, make):
        made = make.table(make.ingress(default="rest"))
        assert hosts(made) == [""]
        assert routes(made, "") == [("Prefix", "/", "rest")]

    def test_what_no_path_matches_goes_to_the_ingress_with_rules_for_the_host(self, make):
        made = make.table(
            make.ingress("all", default="rest"),
            make.ingress("web", [(HOST, [("Prefix", "/a", "web")])], default="own", second=1),
        )
        assert routes(made) == [("Prefix", "/a", "web"), ("Prefix", "/", "own")]
        assert routes(made, "") == [("Prefix", "/", "rest")]

    def test_without_one_of_its_own_a_host_falls_back_to_that_of_an_ingress_without_rules(self, make):
        made = make.table(make.ingress("all", default="rest"), make.ingress("web", [(HOST, [("Exact", "/a", "web")])]))
        assert routes(made) == [("Exact", "/a", "web"), ("Prefix", "/", "rest")]

    def test_that_of_an_ingress_with_rules_gets_hosts_that_nobody_names_but_not_those_of_others(self, make):
        made = make.table(
            make.ingress("web", [(HOST, [("Exact", "/a", "web")])], default="own"),
            make.ingress("other", [("other.test", [("Exact", "/b", "web")])]),
        )
        assert routes(made, "") == [("Prefix", "/", "own")]
        assert routes(made, "other.test") == [("Exact", "/b", "web")]

    def test_a_rule_without_paths_names_its_host_only(self, make):
        made = make.table(make.ingress(rules=[(HOST, []), (None, [("Prefix", "/", "all")])]))
        assert routes(made) == []

    def test_the_older_of_two_is_heard(self, make):
        made = make.table(make.ingress("a", default="old"), make.ingress("b", default="young", second=1))
        assert routes(made, "") == [("Prefix", "/", "old")]
        assert problems(made) == [("DefaultBackendConflict", "Ingress shop/b spec.defaultBackend")]


class TestBackends:
    PORTS = (
        {"name": "http", "port": 80},
        {"name": "admin", "port": 9000},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    )

    @pytest.mark.parametrize("port", ["admin", "9000"])
    def test_a_port_is_found_by_its_name_and_by_its_number(self, make, port):
        made = make.table(
            make.ingress(rules=[(HOST, [("Prefix", "/", f"web:{port}")])]),
            services=[make.service("web", ports=self.PORTS)],
            slices=[make.endpoint_slice("web", "10.244.1.2", ports=[{"name": "admin", "port": 9443}])],
        )
        assert made.upstreams == {ServicePort("shop", "web", 9000): Upstream((Endpoint("10.244.1.2", 9443, "web-2"),))}

    @pytest.mark.parametrize(
        ("to", "reason", "word"),
        [
            ("gone", "ServiceNotFound", "no Service gone"),
            ("web:8080", "PortNotFound", "80 (http), 9000 (admin)"),
            ("web:metrics", "PortNotFound", "port metrics"),
            ("web:dns", "PortNotFound", "TCP"),
            ("outside", "ExternalNameService", "ExternalName"),
            ("secure", "EncryptedBackend", "https"),
            ({"resource": {"kind": "Bucket", "name": "icons"}}, "ResourceBackend", "Bucket icons"),
        ],
    )
    def test_one_that_is_not_there_answers_503_and_is_told(self, make, to, reason, word):
        made = make.table(
            make.ingress(rules=[(HOST, [("Prefix", "/", to)])]),
            services=[
                make.service("web", ports=self.PORTS),
                make.service("outside", type="ExternalName", externalName="example.com"),
                make.service("secure", ports=[{"port": 80, "appProtocol": "https"}]),
            ],
        )
        assert problems(made) == [(reason, "Ingress shop/web spec.rules[0].http.paths[0].backend")]
        assert word in made.problems[0].message
        route = made.entrances[0].listeners[0].hosts[0].routes[0]
        assert route.action == Respond(503, made.problems[0].message)

    def test_a_service_of_another_namespace_is_not_found(self, make):
        made = make.table(
            make.ingress(rules=[(HOST, [("Prefix", "/", "web")])]), services=[make.service("web", "other")]
        )
        assert [each.reason for each in made.problems] == ["ServiceNotFound"]

    def test_a_default_backend_that_is_not_there_answers_503(self, make):
        made = make.table(make.ingress(default="gone"), services=[])
        assert routes(made, "") == [("Prefix", "/", 503)]
        assert problems(made) == [("ServiceNotFound", "Ingress shop/web spec.defaultBackend")]
