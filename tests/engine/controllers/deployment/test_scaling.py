from __future__ import annotations

from kubelab.engine.controllers.deployment.scaling import DESIRED, MAXIMUM, scaled_sizes, was_scaled


def noted(desired: int, maximum: int) -> dict[str, str]:
    return {DESIRED: str(desired), MAXIMUM: str(maximum)}


def sizes(scaled) -> dict[str, int]:
    return {each["metadata"]["name"]: size for each, size in scaled}


def test_a_changed_size_is_told_from_a_rollout_by_what_the_replicasets_noted(make):
    replicaset = make.replicaset("web-a", 3, annotations=noted(3, 4))
    assert not was_scaled(make.deployment(3), [replicaset])
    assert was_scaled(make.deployment(5), [replicaset])
    assert not was_scaled(make.deployment(5), [make.replicaset("web-a", 0, annotations=noted(3, 4))])


def test_a_single_active_replicaset_gets_it_all(make):
    new, old = make.replicaset("web-new", 3, annotations=noted(3, 4)), make.replicaset("web-old", 0)
    assert sizes(scaled_sizes(make.deployment(7), new, [old])) == {"web-new": 7}


def test_in_the_middle_of_a_rollout_both_grow_in_proportion(make):
    # 10 wanted with a surge of 3, scaled to 15: the five new pods go 8 : 5, as the documentation has it.
    old = make.replicaset("web-old", 8, annotations=noted(10, 13), age=900)
    new = make.replicaset("web-new", 5, annotations=noted(10, 13), available=0, age=10)
    deployment = make.deployment(15, surge=3, unavailable=2)
    assert sizes(scaled_sizes(deployment, new, [old])) == {"web-old": 11, "web-new": 7}


def test_in_the_middle_of_a_rollout_both_shrink_in_proportion(make):
    old = make.replicaset("web-old", 8, annotations=noted(10, 12), age=900)
    new = make.replicaset("web-new", 4, annotations=noted(10, 12), available=0, age=10)
    deployment = make.deployment(5, surge=1, unavailable=2)
    scaled = sizes(scaled_sizes(deployment, new, [old]))
    assert scaled == {"web-old": 4, "web-new": 2}


def test_scaling_to_none_takes_every_pod(make):
    old = make.replicaset("web-old", 2, annotations=noted(3, 4))
    new = make.replicaset("web-new", 2, annotations=noted(3, 4), available=0)
    assert sizes(scaled_sizes(make.deployment(0), new, [old])) == {"web-old": 0, "web-new": 0}


def test_once_the_new_one_is_saturated_the_old_ones_go(make):
    old = make.replicaset("web-old", 1, annotations=noted(3, 4))
    new = make.replicaset("web-new", 3, annotations=noted(3, 4))
    assert sizes(scaled_sizes(make.deployment(3), new, [old])) == {"web-old": 0}
