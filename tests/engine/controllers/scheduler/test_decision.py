from __future__ import annotations

from decimal import Decimal

import pytest

from kubelab.engine.controllers.scheduler.cluster import Cluster
from kubelab.engine.controllers.scheduler.decision import choose
from kubelab.engine.controllers.scheduler.filters import explain
from kubelab.engine.controllers.scheduler.resources import quantity, requested

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


@pytest.fixture
def nodes(make):
    return [
        make.node("control-plane", taints=[CONTROL_PLANE], labels={"zone": "a"}),
        make.node("worker", labels={"zone": "a"}),
        make.node("worker2", labels={"zone": "b"}),
    ]


def place(make, pod, nodes, pods=()) -> str:
    """The node's name, or why there is none."""
    node, refusals = choose(pod, Cluster(nodes, pods), make.now)
    return node or explain(refusals)


def waiting(make, name="new", **more) -> dict:
    return make.pod(name, node=None, ready=False, phase="Pending", **more)


def test_replicas_spread_and_the_same_cluster_gives_the_same_answer(make, nodes):
    placed = []
    for number in range(4):
        pod = waiting(make, f"web-{number}", owner="rs")
        pod["spec"]["nodeName"] = place(make, pod, nodes, placed)
        placed.append(pod)
    assert [pod["spec"]["nodeName"] for pod in placed] == ["worker", "worker2", "worker", "worker2"]


def test_siblings_count_before_other_pods(make, nodes):
    others = [make.pod(f"other-{n}", node="worker2") for n in range(5)]
    sibling = make.pod("web-0", node="worker", owner="rs")
    assert place(make, waiting(make, owner="rs"), nodes, [sibling, *others]) == "worker2"
    assert place(make, waiting(make, owner="another"), nodes, [sibling, *others]) == "worker"


def test_pods_without_an_owner_are_siblings_by_their_labels(make, nodes):
    known = [make.pod("a", node="worker", labels={"app": "x"}), *(make.pod(f"o{n}", node="worker2") for n in range(3))]
    assert place(make, waiting(make, labels={"app": "x"}), nodes, known) == "worker2"


def test_a_taint_keeps_away_who_does_not_tolerate_it(make, nodes):
    pod = waiting(make, spec={"nodeSelector": {"kubernetes.io/hostname": "control-plane"}})
    assert place(make, pod, nodes) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), "
        "2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    for toleration in (
        {"key": CONTROL_PLANE["key"], "operator": "Exists"},
        {"operator": "Exists"},
        {"key": CONTROL_PLANE["key"], "operator": "Equal", "effect": "NoSchedule"},
    ):
        pod["spec"]["tolerations"] = [toleration]
        assert place(make, pod, nodes) == "control-plane"


@pytest.mark.parametrize("ready", ["False", "Unknown"])
def test_a_node_that_is_not_ready_gets_nothing_even_before_it_is_tainted(make, ready):
    assert place(make, waiting(make), [make.node("a", ready=ready), make.node("b")]) == "b"


def test_a_cordoned_node_gets_nothing(make):
    assert place(make, waiting(make), [make.node("a", unschedulable=True)]).startswith(
        "0/1 nodes are available: 1 node(s) were unschedulable."
    )


def test_too_little_room_is_named_by_resource_and_could_be_made(make, nodes):
    big = {"containers": [{"name": "main", "resources": {"requests": {"cpu": "1500m", "memory": "3Gi"}}}]}
    known = [make.pod("a", node="worker", spec=big), make.pod("b", node="worker2", spec=big)]
    assert place(make, waiting(make, spec=big), nodes, known) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu, 2 Insufficient memory. "
        "preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )
    done = [make.pod("a", node="worker", spec=big, phase="Succeeded"), known[1]]
    assert place(make, waiting(make, spec=big), nodes, done) == "worker"


def test_a_node_takes_no_more_pods_than_it_says(make):
    node = make.node("a", allocatable={"pods": "1"})
    assert "1 Too many pods" in place(make, waiting(make), [node], [make.pod("x", node="a")])


def test_required_node_affinity_has_terms_of_which_one_must_fit(make, nodes):
    terms = [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["c"]}]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["worker2"]}]},
    ]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    assert place(make, waiting(make, spec={"affinity": {"nodeAffinity": required}}), nodes) == "worker2"


def term(key: str, **labels) -> dict:
    return {"topologyKey": key, "labelSelector": {"matchLabels": labels}}


def wish(kind: str, *terms) -> dict:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}}


def test_anti_affinity_keeps_apart_whoever_came_first(make, nodes):
    spec = wish("podAntiAffinity", term("kubernetes.io/hostname", app="db"))
    known = [make.pod("db-0", node="worker", labels={"app": "db"}, spec=spec)]
    assert place(make, waiting(make, labels={"app": "db"}, spec=spec), nodes, known) == "worker2"
    both = [*known, make.pod("db-1", node="worker2", labels={"app": "db"}, spec=spec)]
    assert "2 node(s) didn't match pod anti-affinity rules" in place(
        make, waiting(make, labels={"app": "db"}, spec=spec), nodes, both
    )
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules" in place(
        make, waiting(make, labels={"app": "db"}), nodes, both
    )


def test_affinity_brings_together_and_lets_the_first_of_a_group_go_anywhere(make, nodes):
    spec = wish("podAffinity", term("zone", app="db"))
    assert place(make, waiting(make, labels={"app": "db"}, spec=spec), nodes) == "worker"
    known = [make.pod("db-0", node="worker2", labels={"app": "db"})]
    assert place(make, waiting(make, labels={"app": "web"}, spec=spec), nodes, known) == "worker2"
    assert "2 node(s) didn't match pod affinity rules" in place(make, waiting(make, spec=spec), nodes)


def test_a_preferred_anti_affinity_is_followed_where_it_can_be(make, nodes):
    preferred = [{"weight": 100, "podAffinityTerm": term("kubernetes.io/hostname", app="dns")}]
    spec = {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}}
    known = [
        make.pod("dns-0", node="worker", labels={"app": "dns"}),
        *(make.pod(f"o{n}", node="worker2") for n in "ab"),
    ]
    assert place(make, waiting(make, labels={"app": "dns"}, spec=spec), nodes, known) == "worker2"
    assert place(make, waiting(make, labels={"app": "dns"}, spec=spec), nodes[:2], known) == "worker"


def test_a_hard_spread_constraint_holds_the_skew(make, nodes):
    constraint = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    constraint["labelSelector"] = {"matchLabels": {"app": "web"}}
    spec = {"topologySpreadConstraints": [constraint]}
    known = [make.pod("web-0", node="worker", labels={"app": "web"})]
    new = waiting(make, labels={"app": "web"}, spec=spec)
    assert place(make, new, nodes, known) == "worker2"
    assert "1 node(s) didn't match pod topology spread constraints," in place(
        make, new, [*nodes[:2], make.node("b", labels={"zone": "b"}, unschedulable=True)], known
    )
    constraint["topologyKey"] = "rack"
    assert "2 node(s) didn't match pod topology spread constraints (missing required label)" in place(make, new, nodes)


@pytest.mark.parametrize(
    ("policies", "counted"),
    [
        ({}, True),
        ({"nodeTaintsPolicy": "Ignore"}, True),
        ({"nodeTaintsPolicy": "Honor"}, False),
        ({"nodeAffinityPolicy": "Ignore"}, True),
    ],
)
def test_an_empty_node_that_the_pod_does_not_tolerate_counts_for_the_skew_unless_taints_are_honoured(
    make, nodes, policies, counted
):
    constraint = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    constraint |= {"labelSelector": {"matchLabels": {"app": "web"}}, **policies}
    new = waiting(make, labels={"app": "web"}, spec={"topologySpreadConstraints": [constraint]})
    known = [make.pod(name, node=name, labels={"app": "web"}) for name in ("worker", "worker2")]
    refused = "2 node(s) didn't match pod topology spread constraints" in place(make, new, nodes, known)
    assert refused == counted
    new["spec"]["tolerations"] = [{"operator": "Exists"}]
    assert place(make, new, nodes, known) == "control-plane"


def test_nodes_that_the_pod_does_not_select_count_only_when_that_is_ignored(make, nodes):
    constraint = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
    constraint["labelSelector"] = {"matchLabels": {"app": "web"}}
    spec = {"topologySpreadConstraints": [constraint], "nodeSelector": {"kubernetes.io/hostname": "worker"}}
    new, known = waiting(make, labels={"app": "web"}, spec=spec), [make.pod("a", node="worker", labels={"app": "web"})]
    assert place(make, new, nodes, known) == "worker"
    constraint["nodeAffinityPolicy"] = "Ignore"
    assert "1 node(s) didn't match pod topology spread constraints" in place(make, new, nodes, known)


def test_a_host_port_is_had_by_one_pod_a_node(make, nodes):
    spec = {"containers": [{"name": "main", "ports": [{"containerPort": 80, "hostPort": 8080}]}]}
    known = [make.pod(name, node=name, spec=spec) for name in ("worker", "worker2")]
    assert "2 node(s) didn't have free ports for the requested pod ports" in place(
        make, waiting(make, spec=spec), nodes, known
    )


def test_without_nodes_it_says_so(make):
    assert place(make, waiting(make), []) == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", "0.25"), ("1", "1"), ("1.5", "1.5"), ("64Mi", "67108864"), ("1e3", "1000"), ("2k", "2000")],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, value):
    assert quantity(text) == Decimal(value)


def test_initialisation_counts_if_it_needs_more_than_the_containers(make):
    def container(cpu: str, **more) -> dict:
        return {"name": "x", "resources": {"requests": {"cpu": cpu}}, **more}

    pod = make.pod("a", spec={"initContainers": [container("3"), container("1", restartPolicy="Always")],
                              "containers": [container("500m"), container("500m")]})  # fmt: skip
    assert requested(pod)["cpu"] == 3
    pod["spec"]["initContainers"].append(container("2500m"))
    assert requested(pod)["cpu"] == quantity("3.5")
