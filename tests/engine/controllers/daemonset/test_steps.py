from __future__ import annotations

import pytest

from kubelab.engine.controllers.daemonset.placement import by_node
from kubelab.engine.controllers.daemonset.steps import Daemons


@pytest.fixture
def daemons(make):
    """`Daemons` on nodes a to d, of pods given as ``name=(node, revision)`` and of those that are not ready."""

    def made(pods: dict, *, broken=(), deleting=(), nodes="abcd", **strategy) -> Daemons:
        spec = {
            "template": {"spec": {"containers": []}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": strategy},
        }
        objects = [
            make.pod(
                name,
                node=node,
                ready=name not in broken,
                deleting=name in deleting,
                labels={"controller-revision-hash": revision},
                age=100 - number,
            )
            for number, (name, (node, revision)) in enumerate(pods.items())
        ]
        everywhere = [make.node(name) for name in nodes]
        return Daemons({"spec": spec}, everywhere, by_node(objects), "new", make.now)

    return made


def names(pods) -> list[str]:
    return [pod["metadata"]["name"] for pod in pods]


def test_every_node_gets_one_pod_and_a_surplus_goes_the_youngest_first(daemons):
    steps = daemons({"1": ("a", "new"), "2": ("b", "new"), "3": ("b", "new")}).keep_up()
    assert steps.create == ["c", "d"]
    assert names(steps.delete) == ["3"]


def test_a_node_waits_until_its_pod_has_gone(daemons):
    steps = daemons({"1": ("a", "old")}, deleting={"1"}, nodes="a").keep_up()
    assert not any(steps)


OLD = {"1": ("a", "old"), "2": ("b", "old"), "3": ("c", "old"), "4": ("d", "old")}


@pytest.mark.parametrize(("most", "expected"), [(1, ["1"]), ("30%", ["1", "2"]), ("100%", ["1", "2", "3", "4"])])
def test_a_rolling_update_takes_as_many_old_pods_as_may_be_unavailable(daemons, most, expected):
    assert names(daemons(OLD, maxUnavailable=most).roll().delete) == expected


def test_an_old_pod_that_serves_nobody_goes_first_and_counts(daemons):
    assert names(daemons(OLD, broken={"3"}, maxUnavailable=1).roll().delete) == ["3"]


def test_nothing_goes_while_a_new_pod_is_not_ready(daemons):
    pods = {**OLD, "1": ("a", "new")}
    assert names(daemons(pods, broken={"1"}, maxUnavailable=1).roll().delete) == []


def test_with_surge_a_new_pod_stands_beside_the_old_one_until_it_is_ready(daemons):
    surge = {"maxSurge": 1, "maxUnavailable": 0}
    assert daemons(OLD, **surge).roll().create == ["a"]
    both = {**OLD, "5": ("a", "new")}
    assert not any(daemons(both, broken={"5"}, **surge).keep_up())
    assert not any(daemons(both, broken={"5"}, **surge).roll())
    assert names(daemons(both, **surge).keep_up().delete) == ["1"]


def test_it_counts_what_kubectl_waits_for(daemons):
    pods = {"1": ("a", "new"), "2": ("b", "old"), "3": ("elsewhere", "new")}
    assert daemons(pods, broken={"2"}).counts() == {
        "currentNumberScheduled": 2,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 4,
        "numberReady": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
        "numberUnavailable": 3,
    }
