"""The names of a cluster (DNS specification 1.1.0)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kubelab.engine.dns.answers import KUBEADM, answer
from kubelab.engine.dns.records import TTL, Answer, Question, Soa, Srv
from kubelab.engine.dns.snapshot import Snapshot


def service(name: str, ip: str | None, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], "ports": list(ports), **spec},
    }


def endpointslice(service: str, *endpoints: dict[str, Any], **port: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": f"{service}-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "ports": [{"protocol": "TCP", **port}] if port else [],
        "endpoints": list(endpoints),
    }


def endpoint(ip: str, hostname: str | None = None, *, ready: bool = True) -> dict[str, Any]:
    return {"addresses": [ip], "conditions": {"ready": ready}, **({"hostname": hostname} if hostname else {})}


HTTP = {"name": "http", "port": 80, "protocol": "TCP"}

CLUSTER = Snapshot.of(
    [{"metadata": {"name": name}} for name in ("shop", "empty")],
    [
        service("web", "10.96.0.41", HTTP, {"name": "metrics", "port": 9090, "protocol": "TCP"}),
        service("unready", "10.96.0.42", HTTP),
        service("db", "None", {"name": "sql", "port": 5432, "protocol": "TCP"}),
        service("nobody", "None", HTTP),
        service("outside", None, type="ExternalName", externalName="example.com."),
        service("inside", None, type="ExternalName", externalName="web.shop.svc.cluster.local"),
        service("twice", None, type="ExternalName", externalName="outside.shop.svc.cluster.local"),
        service("nowhere", None, type="ExternalName", externalName="gone.shop.svc.cluster.local"),
        service("circle", None, type="ExternalName", externalName="circle.shop.svc.cluster.local"),
        service("number", None, type="ExternalName", externalName="192.0.2.7"),
        service("dns", "10.96.0.10", *({"name": p, "port": 53, "protocol": p} for p in ("UDP", "TCP"))),
        service("dual", "10.96.0.43", HTTP, clusterIPs=["10.96.0.43", "fd00::43"]),
    ],
    [
        endpointslice("db", endpoint("10.244.1.10"), endpoint("10.244.1.9", "db-0"), name="sql", port=5432),
        endpointslice("nobody", endpoint("10.244.1.8", ready=False), name="http", port=80),
        endpointslice("dns", endpoint("10.244.0.2"), name="dns", port=53),
        endpointslice("web", endpoint("10.244.1.7"), name="http", port=8080),
    ],
)


def ask(name: str, type_: str = "A", **rules: Any) -> Answer:
    zone = next((zone for zone in ("in-addr.arpa", "ip6.arpa") if name.endswith(zone)), "cluster.local")
    return answer(Question(name, type_), CLUSTER, replace(KUBEADM, **rules), zone)


def data(name: str, type_: str = "A"):
    return [record.data for record in ask(name, type_).answers]


def test_a_service_answers_with_its_cluster_ip_for_30_seconds():
    (record,) = ask("web.shop.svc.cluster.local").answers
    assert record == ("web.shop.svc.cluster.local", "A", "10.96.0.41", TTL) and TTL == 30


def test_a_service_without_ready_endpoints_still_answers():
    assert data("unready.shop.svc.cluster.local") == ["10.96.0.42"]


def test_names_are_found_whatever_their_case_and_answered_as_asked():
    assert ask("WEB.shop.SVC.Cluster.Local").answers[0].name == "WEB.shop.SVC.Cluster.Local"


def test_the_other_family_is_an_empty_answer_with_the_zones_authority():
    found = ask("web.shop.svc.cluster.local", "AAAA")
    assert (found.rcode, found.answers) == ("NOERROR", ())
    (soa,) = found.authority
    assert (soa.name, soa.type) == ("cluster.local", "SOA")
    assert isinstance(soa.data, Soa) and soa.data.minimum == 30


def test_a_service_of_two_families_answers_in_both():
    assert data("dual.shop.svc.cluster.local") == ["10.96.0.43"]
    assert data("dual.shop.svc.cluster.local", "AAAA") == ["fd00::43"]


@pytest.mark.parametrize(
    "name",
    [
        "nosuch.shop.svc.cluster.local",
        "web.nosuch.svc.cluster.local",
        "nosuch.svc.cluster.local",
        "a.b.c.d.e.svc.cluster.local",
        "nosuch.cluster.local",
        "dns.cluster.local",
        "dns-version.cluster.local",
        "1-2-3.shop.pod.cluster.local",
        "number.shop.svc.cluster.local",
        "1.1.1.1.in-addr.arpa",
        "41.0.96.10.in-addr.arpa",
        "web.shop.svc.cluster.local.shop.svc.cluster.local",
        "_nosuch._tcp.web.shop.svc.cluster.local",
        "_http._udp.web.shop.svc.cluster.local",
        "10-244-1-7.nosuch.pod.cluster.local",
        "not-an-address.shop.pod.cluster.local",
    ],
)
def test_what_is_not_there_is_denied_with_the_zones_authority(name):
    found = ask(name)
    assert (found.rcode, found.answers, len(found.authority)) == ("NXDOMAIN", (), 1)


BETWEEN = ["cluster.local", "svc.cluster.local", "empty.svc.cluster.local", "shop.pod.cluster.local"]


@pytest.mark.parametrize("name", BETWEEN)
def test_a_name_between_others_is_there_and_empty(name):
    assert (ask(name).rcode, ask(name).answers) == ("NOERROR", ())


def test_a_headless_service_answers_with_its_ready_endpoints():
    assert data("db.shop.svc.cluster.local") == ["10.244.1.9", "10.244.1.10"]


def test_a_headless_service_without_a_ready_endpoint_is_not_there():
    assert ask("nobody.shop.svc.cluster.local").rcode == "NXDOMAIN"


def test_an_endpoint_has_its_hostname_or_its_address_in_front():
    assert data("db-0.db.shop.svc.cluster.local") == ["10.244.1.9"]
    assert data("10-244-1-10.db.shop.svc.cluster.local") == ["10.244.1.10"]
    assert ask("10-244-1-9.db.shop.svc.cluster.local").rcode == "NXDOMAIN"


def test_a_named_port_of_a_service_has_an_srv_record_and_the_address_beside_it():
    found = ask("_http._tcp.web.shop.svc.cluster.local", "SRV")
    assert [record.data for record in found.answers] == [Srv(0, 100, 80, "web.shop.svc.cluster.local")]
    assert [(record.name, record.data) for record in found.additional] == [("web.shop.svc.cluster.local", "10.96.0.41")]


def test_a_named_port_of_a_headless_service_has_one_for_every_endpoint():
    assert data("_sql._tcp.db.shop.svc.cluster.local", "SRV") == [
        Srv(0, 50, 5432, "db-0.db.shop.svc.cluster.local"),
        Srv(0, 50, 5432, "10-244-1-10.db.shop.svc.cluster.local"),
    ]


def test_addresses_lead_back_to_services_and_to_endpoints_with_a_hostname_or_without():
    assert data("41.0.96.10.in-addr.arpa", "PTR") == ["web.shop.svc.cluster.local"]
    assert data("9.1.244.10.in-addr.arpa", "PTR") == ["db-0.db.shop.svc.cluster.local"]
    assert data("10.1.244.10.in-addr.arpa", "PTR") == ["10-244-1-10.db.shop.svc.cluster.local"]
    assert data("7.1.244.10.in-addr.arpa", "PTR") == ["10-244-1-7.web.shop.svc.cluster.local"]
    digits = "fd000000000000000000000000000043"
    assert data(f"{'.'.join(reversed(digits))}.ip6.arpa", "PTR") == ["dual.shop.svc.cluster.local"]


def test_an_external_name_is_an_alias_to_be_followed():
    found = ask("outside.shop.svc.cluster.local")
    assert [(record.type, record.data) for record in found.answers] == [("CNAME", "example.com")]
    assert found.chase == "example.com"
    assert ask("outside.shop.svc.cluster.local", "CNAME").chase == ""


def test_an_alias_into_the_cluster_comes_with_its_address():
    found = ask("inside.shop.svc.cluster.local").answers
    assert [(record.name.split(".")[0], record.type, record.data) for record in found] == [
        ("inside", "CNAME", "web.shop.svc.cluster.local"),
        ("web", "A", "10.96.0.41"),
    ]


def test_a_port_in_front_of_an_alias_changes_nothing_and_has_no_srv_record():
    name = "_http._tcp.inside.shop.svc.cluster.local"
    assert [record.type for record in ask(name).answers] == ["CNAME", "A"]
    assert (ask(name, "SRV").rcode, ask(name, "SRV").answers) == ("NOERROR", ())


def test_aliases_of_aliases_are_followed():
    assert [record.data for record in ask("twice.shop.svc.cluster.local").answers] == [
        "outside.shop.svc.cluster.local", "example.com",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["circle", "nowhere"])
def test_an_alias_that_leads_to_nothing_in_the_cluster_is_a_name_without_addresses(name):
    found = ask(f"{name}.shop.svc.cluster.local")
    assert (found.rcode, found.answers, found.chase) == ("NOERROR", (), "")
    assert ask(f"{name}.shop.svc.cluster.local", "CNAME").answers


def test_a_pods_address_has_a_name_in_every_namespace():
    assert data("10-244-1-7.shop.pod.cluster.local") == ["10.244.1.7"]
    assert data("fd00--7.empty.pod.cluster.local", "AAAA") == ["fd00::7"]
    assert data("any.10-244-1-7.shop.pod.cluster.local") == ["10.244.1.7"]


def test_the_version_of_the_specification_can_be_asked_for():
    assert data("dns-version.cluster.local", "TXT") == ["1.1.0"]


def test_a_question_for_text_is_never_denied_and_the_version_lives_for_eight_hours():
    assert (ask("nosuch.shop.svc.cluster.local", "TXT").rcode, data("nosuch.cluster.local", "TXT")) == ("NOERROR", [])
    assert ask("dns-version.cluster.local", "TXT").answers[0].ttl == 28800


def test_a_port_for_two_protocols_is_one_record_of_half_the_weight():
    assert data("dns.shop.svc.cluster.local", "SRV") == [Srv(0, 50, 53, "dns.shop.svc.cluster.local")]


def test_a_port_may_be_named_without_underscores():
    assert data("http.tcp.web.shop.svc.cluster.local", "SRV") == data("_http._tcp.web.shop.svc.cluster.local", "SRV")


def test_the_zones_name_server_is_the_service_in_front_of_it():
    found = ask("cluster.local", "NS", own=frozenset({"10.244.0.2"}))
    assert [record.data for record in found.answers] == ["dns.shop.svc.cluster.local"]
    assert [record.data for record in found.additional] == ["10.96.0.10"]
    alone = ask("ns.dns.cluster.local", own=frozenset({"10.244.9.9"}))
    assert [record.data for record in alone.answers] == ["10.244.9.9"]


def test_names_of_pods_are_as_the_corefile_has_it():
    name = "10-244-1-7.shop.pod.cluster.local"
    assert ask(name, pods="disabled").rcode == "NXDOMAIN"
    assert ask(name, pods="verified").rcode == "NXDOMAIN"
    pod = {"metadata": {"name": "web", "namespace": "shop"}, "status": {"podIP": "10.244.1.7"}}
    known = Snapshot.of([{"metadata": {"name": "shop"}}], [], [], [pod])
    assert answer(Question(name, "A"), known, replace(KUBEADM, pods="verified")).answers[0].data == "10.244.1.7"


def test_endpoints_may_have_their_pods_names():
    bare = {**endpoint("10.244.1.9"), "targetRef": {"kind": "Pod", "name": "web-x"}}
    known = Snapshot.of(
        [], [service("web", "None")], [endpointslice("web", bare, name="http", port=80)], endpoint_pod_names=True
    )
    assert answer(Question("web-x.web.shop.svc.cluster.local", "A"), known).answers[0].data == "10.244.1.9"


def test_only_the_namespaces_that_are_shown_have_names():
    names = [{"metadata": {"name": name}} for name in ("shop", "other")]
    known = Snapshot.of(names, [service("web", "10.96.0.41", HTTP)], [], only=("other",))
    assert answer(Question("web.shop.svc.cluster.local", "A"), known).rcode == "NXDOMAIN"
    assert answer(Question("shop.svc.cluster.local", "A"), known).rcode == "NXDOMAIN"
    assert answer(Question("other.svc.cluster.local", "A"), known).rcode == "NOERROR"


def test_a_service_without_endpoints_can_be_made_to_vanish():
    assert ask("unready.shop.svc.cluster.local", ignore_empty_service=True).rcode == "NXDOMAIN"
    assert data("web.shop.svc.cluster.local") == ["10.96.0.41"]
