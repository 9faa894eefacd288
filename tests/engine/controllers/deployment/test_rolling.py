from __future__ import annotations

import pytest

from kubelab.engine.controllers.deployment.rolling import limits, new_size, old_sizes


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "pods"),
    [
        (4, "25%", "25%", (1, 1)),
        (10, "25%", "25%", (3, 2)),  # surge is rounded up, unavailability down
        (1, "25%", "25%", (1, 0)),
        (2, 1, 0, (1, 0)),
        (3, 0, 0, (0, 1)),  # both none: one may be unavailable
        (3, "0%", "20%", (0, 1)),
        (2, 0, 5, (0, 2)),  # never more than there are
        (0, "25%", "25%", (0, 0)),
    ],
)
def test_percentages_are_rounded_as_kubernetes_rounds_them(make, replicas, surge, unavailable, pods):
    assert limits(make.deployment(replicas, surge=surge, unavailable=unavailable)) == pods


def test_a_recreate_deployment_has_no_surge_and_nothing_unavailable(make):
    assert limits(make.deployment(4, strategy={"type": "Recreate"})) == (0, 0)


def test_a_new_replicaset_gets_the_room_that_surge_leaves(make):
    deployment = make.deployment(10)
    assert new_size(deployment, None, [make.replicaset("web-old", 10)]) == 3
    assert new_size(deployment, make.replicaset("web-new", 3), [make.replicaset("web-old", 10)]) == 3
    assert new_size(deployment, make.replicaset("web-new", 3), [make.replicaset("web-old", 8)]) == 5
    assert new_size(deployment, make.replicaset("web-new", 8), [make.replicaset("web-old", 1)]) == 10


def test_a_new_replicaset_that_is_too_large_shrinks_to_what_is_wanted(make):
    assert new_size(make.deployment(2), make.replicaset("web-new", 5), []) == 2


def sizes(scaled) -> dict[str, int]:
    return {each["metadata"]["name"]: size for each, size in scaled}


def test_old_pods_go_as_new_ones_become_available(make):
    deployment = make.deployment(10)
    old = make.replicaset("web-old", 10)
    assert sizes(old_sizes(deployment, make.replicaset("web-new", 3, available=0), [old])) == {"web-old": 8}
    old = make.replicaset("web-old", 8)
    assert sizes(old_sizes(deployment, make.replicaset("web-new", 5, available=0), [old])) == {}
    assert sizes(old_sizes(deployment, make.replicaset("web-new", 5, available=2), [old])) == {"web-old": 6}


def test_with_no_unavailability_allowed_an_old_pod_stays_until_a_new_one_is_available(make):
    deployment = make.deployment(2, surge=1, unavailable=0)
    old = make.replicaset("web-old", 2)
    assert old_sizes(deployment, make.replicaset("web-new", 1, available=0), [old]) == []
    assert sizes(old_sizes(deployment, make.replicaset("web-new", 1), [old])) == {"web-old": 1}


def test_broken_old_pods_go_first_as_nobody_misses_them(make):
    deployment = make.deployment(4, surge=0, unavailable=1)
    broken = make.replicaset("web-broken", 2, available=0, age=100)
    healthy = make.replicaset("web-healthy", 3, age=500)
    new = make.replicaset("web-new", 1, available=0)
    assert sizes(old_sizes(deployment, new, [healthy, broken])) == {"web-broken": 0}


def test_a_stuck_rollout_leaves_enough_old_pods_to_serve(make):
    deployment = make.deployment(10, surge=3, unavailable=2)
    stuck = make.replicaset("web-new", 5, available=0)
    assert old_sizes(deployment, stuck, [make.replicaset("web-old", 8, available=7)]) == []
