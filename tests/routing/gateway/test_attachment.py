import pytest


def accepted(make, built):
    return [make.condition(each.conditions, "Accepted") for each in built.routes[0].parents]


def attached(built):
    return [each.attached_routes for each in built.gateways[0].listeners]


def test_a_route_of_the_gateways_namespace_is_let_in_by_default(make):
    built = make.build([make.gateway()], [make.http_route()])
    assert (accepted(make, built), attached(built)) == ([True], [1])


def test_a_route_of_another_namespace_is_not(make):
    route = make.http_route(namespace="shop", parents=[{"name": "edge", "namespace": "infra"}])
    built = make.build([make.gateway()], [route])
    assert (accepted(make, built), attached(built)) == (["NotAllowedByListeners"], [0])


@pytest.mark.parametrize(
    ("namespaces", "let_in"),
    [
        ({"from": "All"}, True),
        ({"from": "Same"}, "NotAllowedByListeners"),
        ({"from": "Selector", "selector": {"matchLabels": {"edge": "yes"}}}, True),
        ({"from": "Selector", "selector": {"matchLabels": {"edge": "no"}}}, "NotAllowedByListeners"),
        ({"from": "Selector", "selector": {"matchExpressions": [{"key": "edge", "operator": "Exists"}]}}, True),
        ({"from": "Selector", "selector": {"matchExpressions": [{"key": "edge", "operator": "DoesNotExist"}]}},
         "NotAllowedByListeners"),
        ({"from": "Selector", "selector": {"matchExpressions": [
            {"key": "edge", "operator": "In", "values": ["yes", "maybe"]}]}}, True),
        ({"from": "Selector", "selector": {"matchExpressions": [
            {"key": "edge", "operator": "NotIn", "values": ["yes"]}]}}, "NotAllowedByListeners"),
    ],
)  # fmt: skip
def test_the_listener_says_which_namespaces_are_let_in(make, namespaces, let_in):
    route = make.http_route(namespace="shop", parents=[{"name": "edge", "namespace": "infra"}])
    gateway = make.gateway(make.listener(allowedRoutes={"namespaces": namespaces}))
    built = make.build([gateway], [route], namespaces=[make.namespace("shop", edge="yes"), make.namespace("infra")])
    assert accepted(make, built) == [let_in]


def test_a_section_name_chooses_one_listener(make):
    gateway = make.gateway(make.listener("a", 80), make.listener("b", 8080))
    built = make.build([gateway], [make.http_route(parents=[{"name": "edge", "sectionName": "b"}])])
    assert attached(built) == [0, 1]


@pytest.mark.parametrize("wrong", [{"sectionName": "nowhere"}, {"port": 81}])
def test_a_listener_that_is_not_there_is_no_parent(make, wrong):
    built = make.build([make.gateway()], [make.http_route(parents=[{"name": "edge", **wrong}])])
    assert accepted(make, built) == ["NoMatchingParent"]


def test_each_parent_has_its_own_word(make):
    parents = [{"name": "edge"}, {"name": "edge", "sectionName": "nowhere"}]
    built = make.build([make.gateway()], [make.http_route(parents=parents)])
    assert accepted(make, built) == [True, "NoMatchingParent"]
    assert [each.ref for each in built.routes[0].parents] == parents


def test_parents_of_others_are_left_alone(make):
    parents = [{"name": "someone-elses"}, {"name": "mesh", "kind": "Service", "group": ""}]
    assert make.build([make.gateway()], [make.http_route(parents=parents)]).routes == ()


@pytest.mark.parametrize(
    ("listener", "route", "served"),
    [
        ("", [], [""]),
        ("", ["shop.test"], ["shop.test"]),
        ("shop.test", [], ["shop.test"]),
        ("shop.test", ["shop.test", "other.test"], ["shop.test"]),
        ("*.test", ["shop.test", "a.b.test", "test"], ["shop.test", "a.b.test"]),
        ("shop.test", ["*.test"], ["shop.test"]),
        ("*.test", ["*.shop.test"], ["*.shop.test"]),
        ("*.shop.test", ["*.test"], ["*.shop.test"]),
        ("Shop.Test", ["shop.TEST"], ["shop.test"]),
    ],
)
def test_a_route_is_served_for_the_hosts_that_both_sides_want(make, listener, route, served):
    gateway = make.gateway(make.listener(hostname=listener) if listener else make.listener())
    built = make.build([gateway], [make.http_route(hosts=route)])
    assert sorted(each.host for each in built.table.entrances[0].listeners[0].hosts) == sorted(served)


def test_without_a_host_in_common_they_do_not_come_together(make):
    built = make.build([make.gateway(make.listener(hostname="*.shop.test"))], [make.http_route(hosts=["shop.test"])])
    assert (accepted(make, built), attached(built)) == (["NoMatchingListenerHostname"], [0])
