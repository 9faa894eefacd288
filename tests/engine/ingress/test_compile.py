"""Tables of routes as Envoy reads them: Envoy itself is asked whether it can."""

from __future__ import annotations

import json
import subprocess

import pytest

from kubelab.engine.ingress import envoy
from kubelab.engine.ingress.compile import KeyPair, clusters, listeners, route_configurations
from kubelab.engine.ingress.compile.connections import ready_listener
from kubelab.lab.authority import Authority
from kubelab.routing.model import (
    Backend,
    Certificate,
    Endpoint,
    Entrance,
    Forward,
    HeaderChange,
    Listener,
    Match,
    ObjectName,
    Origin,
    PathMatch,
    Redirect,
    Respond,
    Route,
    ServicePort,
    Table,
    Upstream,
    ValueMatch,
    VirtualHost,
)

WEB, API = ServicePort("default", "web", 80), ServicePort("default", "api", 80)
WHERE = Origin(ObjectName("Ingress", "default", "shop"), "spec.rules[0].http.paths[0]")
TO_WEB = Forward((Backend(WEB),))


def route(path, action=TO_WEB, **more):
    return Route(Match(PathMatch(*path), **more), action, WHERE)


def hosts_of(*hosts, **listener):
    """The virtual hosts of a plain entrance, by domain."""
    table = Table((Entrance(80, listeners=(Listener(hosts=hosts, **listener),)),))
    [configuration] = route_configurations(table).values()
    return {each["domains"][0]: each["routes"] for each in configuration["virtual_hosts"]}


def targets(routes):
    return [each.get("route", {}).get("cluster") or each["direct_response"]["status"] for each in routes]


def test_paths_are_matched_by_elements_and_in_the_given_order():
    paths = [("Exact", "/only"), ("Prefix", "/foo/"), ("Prefix", "/")]
    routes = hosts_of(VirtualHost("a.test", tuple(route(path) for path in paths)))["a.test"]
    assert [each["match"] for each in routes] == [
        {"path": "/only"},
        {"path_separated_prefix": "/foo"},
        {"prefix": "/"},
    ]


def test_a_path_that_no_request_can_have_is_left_out():
    assert hosts_of(VirtualHost("a.test", (route(("Prefix", "/a?b")),)))["a.test"] == []


def test_a_wildcard_of_one_label_leaves_longer_names_to_the_next_best_host():
    hosts = hosts_of(
        VirtualHost("*.example.org", (route(("Prefix", "/a")),)),
        VirtualHost("", (route(("Prefix", "/"), Forward((Backend(API),))),)),
    )
    first, none, rest = hosts["*.example.org"]
    [guard] = first["match"]["headers"]
    assert guard["string_match"]["safe_regex"]["regex"] == r"(?i)[^.:]+\.example\.org(:[0-9]+)?"
    assert targets([first, none, rest]) == ["default/web:80", 404, "default/api:80"]
    assert none["match"]["headers"] == [guard]
    assert "headers" not in rest["match"]


def test_a_missing_backend_answers_with_its_status_and_says_why():
    [answer] = hosts_of(VirtualHost("a.test", (route(("Prefix", "/"), Respond(503, "there is no Service x")),)))[
        "a.test"
    ]
    assert answer["direct_response"] == {
        "status": 503,
        "body": {"inline_string": "503 kubelab ingress: there is no Service x\n"},
    }


def test_shares_follow_the_weights_and_a_share_of_nobody_gets_its_status():
    shares = Forward((Backend(WEB, 9), Backend(None, 1, 500, "gone"), Backend(API, 0)))
    [made] = hosts_of(VirtualHost("a.test", (route(("Prefix", "/"), shares),)))["a.test"]
    assert made["route"]["weighted_clusters"]["clusters"] == [
        {"name": "default/web:80", "weight": 9},
        {"name": "nobody", "weight": 1},
    ]
    assert made["route"]["cluster_not_found_response_code"] == "INTERNAL_SERVER_ERROR"


def test_a_service_without_endpoints_is_a_cluster_without_any():
    [one, two] = clusters(Table(upstreams={WEB: Upstream(), API: Upstream((Endpoint("10.244.1.2", 8080, "api-1"),))}))
    assert one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["hostname"] == "api-1"
    assert two["load_assignment"] == {"cluster_name": "default/web:80", "endpoints": []}


def everything():
    """A table with one of everything."""
    changed = HeaderChange(set=(("x-a", "100%"),), add=(("x-b", "b"),), remove=("x-c",))
    actions = [
        TO_WEB,
        Forward((Backend(WEB, 3), Backend(API, 1), Backend(None, 1)), changed, changed),
        Forward((Backend(None, why="no such Service"),)),
        Forward((Backend(WEB),), rewrite_host="other.test", rewrite_path=PathMatch("Prefix", "/")),
        Forward((Backend(WEB),), rewrite_path=PathMatch("Prefix", "/new/"), timeout_seconds=1.5),
        Forward((Backend(WEB),), rewrite_path=PathMatch("Exact", "/new"), backend_timeout_seconds=0.5),
        Redirect(301, "https", "other.test", 8443, PathMatch("Exact", "/x")),
        Redirect(308, path=PathMatch("Prefix", "/y")),
        Respond(500, "it is % broken"),
    ]
    paths = [
        ("Exact", "/only"),
        ("Prefix", "/foo/"),
        ("Prefix", "/"),
        ("Prefix", "/odd//"),
        ("RegularExpression", "/[a-z]+"),
    ]
    routes = tuple(route(path, action) for path in paths for action in actions)
    matched = Match(
        PathMatch(), "GET", (ValueMatch("x-a", "1"), ValueMatch("x-b", ".+", True)), (ValueMatch("q", "1"),)
    )
    hosts = (
        VirtualHost("a.test", (*routes, Route(matched, TO_WEB, WHERE))),
        VirtualHost("*.example.org", routes),
        VirtualHost("*.example.net", routes, "any labels"),
        VirtualHost("", routes),
    )
    secret = ObjectName("Secret", "default", "shop-tls")
    certificates = (Certificate(secret, ("a.test", "*.example.org"), WHERE),)
    return Table(
        (
            Entrance(80, listeners=(Listener(hosts=hosts),)),
            Entrance(443, tls=True, listeners=(Listener(hosts=hosts, certificates=certificates),)),
        ),
        {
            WEB: Upstream((Endpoint("10.244.1.2", 8080, "web-1"), Endpoint("10.244.1.3", 8080))),
            API: Upstream((), "h2c"),
        },
    )


def test_envoy_takes_all_that_a_table_can_say(tmp_path):
    program = envoy.binary()
    if program is None:
        pytest.skip("there is no Envoy on this platform")
    table, issued = everything(), Authority().issue("a.test")
    pair = KeyPair(issued.pem, issued.key)
    made = route_configurations(table)
    names = {name: (each["name"], each["name"]) for name, each in made.items()}
    secret = ObjectName("Secret", "default", "shop-tls")
    serving = [ready_listener(), *listeners(table, names, {secret: pair}, pair, lambda each: 8000 + each.port)]
    routes = {each["name"]: each for each in made.values()}
    for chain in chains(serving):
        manager = chain["filters"][0]["typed_config"]
        if rds := manager.pop("rds", None):  # to be looked at beside the rest, not when it comes
            manager["route_config"] = routes[rds["route_config_name"]]
    bootstrap = envoy.bootstrap(tmp_path, 9901)
    bootstrap.pop("dynamic_resources")
    bootstrap["admin"].pop("allow_paths")  # Envoy 1.36 has none, and runs with it all the same
    bootstrap["static_resources"] = {"listeners": serving, "clusters": [*clusters(table), {"name": "nobody"}]}
    file = tmp_path / "bootstrap.json"
    file.write_text(json.dumps(bootstrap))
    done = subprocess.run([program, "--mode", "validate", "-c", file], capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr[-2000:]


def chains(serving):
    for listener in serving:
        yield from listener["filter_chains"]
        if "default_filter_chain" in listener:
            yield listener["default_filter_chain"]
