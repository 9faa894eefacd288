"""The objects of a workshop, as Kubernetes 1.36 has them."""

from __future__ import annotations

import ipaddress

import kubernetes_validate
import pytest

from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.facts import Facts
from kubelab.workshop.guards import guard
from kubelab.workshop.objects import ACCOUNT, HOST_ANNOTATION, of_all, of_learner
from kubelab.workshop.plan import BUDGETS, NODE_PORTS, Plan, node_ports
from kubelab.workshop.policies import isolation
from kubelab.workshop.roster import Learner

FACTS = Facts(
    ingress_namespaces=("edge",),
    dns_address="10.96.0.10",
    api_endpoints=(("10.96.0.1", 443), ("172.18.0.2", 6443)),
    service_ranges=("10.96.0.0/16",),
    pod_ranges=("10.244.0.0/24", "fd00:10::/64"),
    guards=True,
)
ADA = Learner("Ada Lovelace", "ada")


@pytest.mark.parametrize("facts", [FACTS, Facts()])
def test_they_keep_to_the_schema(facts):
    for made in (*of_all(Plan(), facts), *of_learner(Plan(), facts, ADA)):
        kubernetes_validate.validate(made, "1.36", strict=True)


def test_the_longest_names_still_fit():
    plan = Plan("w" * 22, "lab.example.test")
    assert len(plan.namespace(Learner("x", "l" * 40))) == 63


@pytest.mark.parametrize("name", ["", "Work", "a_b", "-a", "a" * 23, "läb"])
def test_a_workshops_name_is_a_dns_label(name):
    with pytest.raises(WorkshopError, match="cannot be a workshop's name"):
        Plan(name)


@pytest.mark.parametrize("domain", ["", "*.lab.test", "lab..test", "Lab.test", "http://lab.test"])
def test_a_domain_is_one(domain):
    with pytest.raises(WorkshopError, match="cannot be a domain"):
        Plan("lab", domain)


def test_a_learner_cannot_lift_the_own_limits():
    role = of_all(Plan(), FACTS)[0]
    changing = {"create", "update", "patch", "delete", "deletecollection"}
    changed = {
        (group, resource)
        for rule in role["rules"] if changing & set(rule["verbs"])
        for group in rule["apiGroups"] for resource in rule["resources"]
    }  # fmt: skip
    kept = {
        "resourcequotas",
        "limitranges",
        "networkpolicies",
        "roles",
        "rolebindings",
        "namespaces",
        "serviceaccounts",
    }
    assert not kept & {resource for _, resource in changed}
    assert not any("*" in (group, resource) for group, resource in changed)
    assert not any(group == "rbac.authorization.k8s.io" for group, _ in changed)


def test_what_a_lessons_reset_clears_is_not_the_workshops():
    for made in of_learner(Plan(), FACTS, ADA):
        assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] != "kubelab"


def test_only_the_outside_the_own_namespace_and_the_controller_get_in():
    own, outside = isolation(FACTS)["ingress"]
    assert [list(peer) for peer in own["from"]] == [["podSelector"], ["namespaceSelector"]]
    assert own["from"][1]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "edge"}
    for block in (peer["ipBlock"] for peer in outside["from"]):
        everything = ipaddress.ip_network(block["cidr"])
        assert all(ipaddress.ip_network(each).subnet_of(everything) for each in block["except"])


def test_where_the_pods_are_is_not_known_nothing_from_outside_gets_in():
    assert isolation(Facts())["ingress"] == [{"from": [{"podSelector": {}}]}]


def test_the_api_is_reached_at_its_service_and_behind_it():
    ways = {(peer["ipBlock"]["cidr"], rule["ports"][0]["port"])
            for rule in isolation(FACTS)["egress"] if "ports" in rule
            for peer in rule["to"] if "ipBlock" in peer}  # fmt: skip
    assert {("10.96.0.1/32", 443), ("172.18.0.2/32", 6443), ("10.96.0.10/32", 53)} <= ways


def test_a_service_without_endpoints_refuses_as_it_does_without_a_policy():
    """What is not rewritten to a pod has to reach kube-proxy's own rule."""
    assert {"to": [{"ipBlock": {"cidr": "10.96.0.0/16"}}]} in isolation(FACTS)["egress"]


def test_budgets_grow():
    assert [each.pods for each in BUDGETS.values()] == [20, 40, 80]


@pytest.mark.parametrize(("learners", "each"), [(1, 20), (100, 20), (200, 10), (1000, 2), (5000, 0)])
def test_there_are_node_ports_for_all_and_for_others(learners, each):
    assert node_ports(learners) == each
    assert learners * each < NODE_PORTS * 0.8


def test_who_comes_later_gets_of_what_is_left():
    assert node_ports(10, promised=2000) == 7
    assert node_ports(10, promised=2700) == 0


def test_everybodys_quota_says_how_many_node_ports():
    quotas = [each for each in of_learner(Plan(node_ports=7), FACTS, ADA) if each["kind"] == "ResourceQuota"]
    assert quotas[0]["spec"]["hard"]["services.nodeports"] == "7"


def ingress(**spec):
    return {"request": {"resource": {"resource": "ingresses"}}, "object": {"spec": spec}}


def secret(kind):
    return {"request": {"resource": {"resource": "secrets"}}, "object": {"type": kind} if kind else {}}


def pod(**spec):
    return {"request": {"resource": {"resource": "pods"}}, "object": {"spec": spec}}


def service(**spec):
    written = {"metadata": {"namespace": "workshop-ada"}, "spec": spec}
    return {"request": {"resource": {"resource": "services"}}, "object": written}


@pytest.mark.parametrize(
    ("written", "allowed"),
    [
        (ingress(rules=[{"host": "ada.lab.example.test"}, {"host": "shop.ada.lab.example.test"}]), True),
        (ingress(rules=[{"host": "ada.lab.example.test"}, {"host": "grace.lab.example.test"}]), False),
        (ingress(rules=[{"host": "evilada.lab.example.test"}]), False),
        (ingress(rules=[{"host": "*.ada.lab.example.test"}]), True),
        (ingress(rules=[{"host": "*.lab.example.test"}]), False),
        (ingress(rules=[{"http": {}}]), False),
        (ingress(defaultBackend={"service": {"name": "web"}}), False),
        (ingress(tls=[{"secretName": "x"}, {"hosts": ["shop.ada.lab.example.test"]}]), True),
        (ingress(tls=[{"hosts": ["ada.lab.example.test", "grace.lab.example.test"], "secretName": "x"}]), False),
        (service(externalName="web.workshop-ada.svc.cluster.local"), True),
        (service(externalName="example.org"), True),
        (service(externalName="web.workshop-grace.svc.cluster.local"), False),
        (service(externalName="web.workshop-grace.svc"), False),
        (service(ports=[]), True),
        (service(externalIPs=[]), True),
        (service(externalIPs=["192.0.2.1"]), False),
        (secret(""), True),
        (secret("kubernetes.io/tls"), True),
        (secret("kubernetes.io/service-account-token"), False),
        (pod(), True),
        (pod(serviceAccountName="default"), True),
        (pod(serviceAccountName=ACCOUNT), False),
    ],
)
def test_the_guard_lets_nobody_into_others_traffic_or_keep_a_token(written, allowed):
    cel = pytest.importorskip("cel")
    known = {**written, "variables": {"host": "ada.lab.example.test"}}
    assert all(cel.evaluate(each, known) for each in rules(guard_hosts=True)) is allowed


def test_tokens_are_guarded_also_where_hosts_are_not():
    assert rules(guard_hosts=False) == rules(guard_hosts=True)[:2]


def rules(guard_hosts):
    return [each["expression"] for each in guard(HOST_ANNOTATION, ACCOUNT, guard_hosts)["validations"]]
