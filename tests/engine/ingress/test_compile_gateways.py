"""Gateways' tables as Envoy reads them: listeners that do not mix, certificates, redirects on unusual ports."""

from __future__ import annotations

from kubelab.engine.ingress.compile import KeyPair, listeners, route_configurations
from kubelab.routing.model import (
    Backend,
    Certificate,
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
    VirtualHost,
)

EDGE = ObjectName("Gateway", "default", "edge")
WHERE = Origin(ObjectName("HTTPRoute", "default", "shop"))
DEFAULT = KeyPair("default", "key")


def host(name, service="web"):
    forward = Forward((Backend(ServicePort("default", service, 80)),))
    return VirtualHost(name, (Route(Match(), forward, WHERE),), "any labels")


def domains(*its, port=80):
    [configuration] = route_configurations(Table((Entrance(port, False, its, EDGE),))).values()
    return {each["domains"][0]: [route["route"]["cluster"] for route in each["routes"]]
            for each in configuration["virtual_hosts"]}  # fmt: skip


def test_a_narrower_listener_has_its_hosts_to_itself():
    narrow, wide = (
        Listener("a.example.test", ()),
        Listener("*.example.test", (host("a.example.test"), host("*.example.test"))),
    )
    everything = Listener("", (host("b.example.test"), host("other.test")))
    assert domains(narrow, wide, everything) == {
        "a.example.test": [],
        "*.example.test": ["default/web:80"],
        "other.test": ["default/web:80"],
    }


def test_hosts_of_a_wildcard_take_any_number_of_labels():
    [configuration] = route_configurations(
        Table((Entrance(80, False, (Listener("", (host("*.example.test"),)),), EDGE),))
    ).values()
    [virtual] = configuration["virtual_hosts"]
    assert virtual["domains"] == ["*.example.test"] and "headers" not in virtual["routes"][0]["match"]


def tls(*its, known):
    entrance = Entrance(443, True, its, EDGE)
    table = Table((entrance,))
    made = route_configurations(table)
    names = {each: (f"{routes['name']}.json", routes["name"]) for each, routes in made.items()}
    [listener] = listeners(table, names, known, DEFAULT, lambda entrance: 10000)
    chains = [*listener["filter_chains"], listener["default_filter_chain"]]
    return {tuple(each.get("filter_chain_match", {}).get("server_names", ())): _shown(each) for each in chains}


def _shown(chain):
    """The certificates, and the route configuration."""
    context = chain["transport_socket"]["typed_config"]["common_tls_context"]
    shown = [each["certificate_chain"]["inline_string"] for each in context["tls_certificates"]]
    return shown, chain["filters"][0]["typed_config"]["rds"]["route_config_name"]


def certified(hostname, *secrets):
    names = [ObjectName("Secret", "default", each) for each in secrets]
    return Listener(hostname, (host(hostname),), tuple(Certificate(each, (hostname,), WHERE) for each in names))


KNOWN = {ObjectName("Secret", "default", each): KeyPair(each, "key") for each in ("a", "b", "wild", "all")}


def test_the_name_in_the_handshake_picks_certificate_and_routes():
    shown = tls(certified("a.example.test", "a", "b"), certified("*.example.test", "wild"), known=KNOWN)
    assert shown == {
        ("a.example.test",): (["a", "b"], "Gateway default/edge:443 a.example.test"),
        ("*.example.test",): (["wild"], "Gateway default/edge:443 *.example.test"),
        (): (["default"], "Gateway default/edge:443 others"),
    }


def test_a_connection_for_one_listener_is_not_for_the_hosts_of_another():
    its = (Listener("a.example.test", (host("a.example.test"),), origin=WHERE),
           Listener("*.example.test", (host("a.example.test"), host("b.example.test")), origin=WHERE),
           Listener("other.test", (), origin=WHERE))  # fmt: skip
    made = route_configurations(Table((Entrance(443, True, its, EDGE),)))
    shown = {
        name.partition(" ")[2]: {
            each["name"]: [route.get("direct_response", {}).get("status") for route in each["routes"]]
            for each in configuration["virtual_hosts"]
        }
        for name, configuration in made.items()
    }
    assert shown == {
        "default/edge:443 a.example.test": {"a.example.test": [None], "*.example.test": [421], "other.test": [421]},
        "default/edge:443 *.example.test": {"a.example.test": [421], "b.example.test": [None], "*.example.test": [],
                                            "other.test": [421]},
        "default/edge:443 other.test": {"a.example.test": [421], "*.example.test": [421], "other.test": []},
        "default/edge:443 others": {"a.example.test": [421], "*.example.test": [421], "other.test": [421]},
    }  # fmt: skip


def test_a_listener_for_all_hosts_is_for_every_other_name():
    shown = tls(certified("a.example.test", "a"), certified("", "all"), known=KNOWN)
    assert shown[()] == (["all"], "Gateway default/edge:443 others")


def test_gateways_with_the_same_routes_do_not_share_a_configuration():
    other = ObjectName("Gateway", "default", "other")
    its = (Listener("", (host("a.test"),)),)
    made = route_configurations(Table((Entrance(80, False, its, EDGE), Entrance(80, False, its, other))))
    assert [each["name"] for each in made.values()] == ["Gateway default/edge:80", "Gateway default/other:80"]


def redirected(redirect, port=80, name="a.test"):
    route = Route(Match(PathMatch("Prefix", "/")), redirect, WHERE)
    its = (Listener("", (VirtualHost(name, (route,), "any labels"),)),)
    [made] = route_configurations(Table((Entrance(port, False, its, EDGE),))).values()
    found = made["virtual_hosts"][0]["routes"][0]["redirect"]
    return {key: value for key, value in found.items() if key != "response_code"}


def test_a_redirect_leaves_out_the_port_that_a_scheme_implies():
    to_https = Redirect(scheme="https")
    assert redirected(to_https) == {"scheme_redirect": "https"}
    assert redirected(to_https, 8080) == {"scheme_redirect": "https", "host_redirect": "a.test"}
    assert redirected(to_https, 8080, "*.test") == {"scheme_redirect": "https", "port_redirect": 443}
    assert redirected(Redirect(scheme="https", port=8443)) == {"scheme_redirect": "https", "port_redirect": 8443}


def test_a_redirect_without_a_scheme_keeps_the_port_that_was_asked():
    assert redirected(Redirect(host="b.test"), 8080) == {"host_redirect": "b.test", "port_redirect": 8080}
    assert redirected(Redirect(host="b.test")) == {"host_redirect": "b.test"}
