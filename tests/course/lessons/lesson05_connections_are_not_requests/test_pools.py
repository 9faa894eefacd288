"""How even a pool is, from picks that are known."""

import random

import pytest

from kubelab.course.lessons.lesson05_connections_are_not_requests.pools import BURDENS, Pools, burden, busiest
from kubelab.lab.errors import LabError
from kubelab.lab.traffic import Answer, Traffic


def picks(*pods):
    return Traffic(tuple(Answer(0, 0.001, code=200, pod=f"web-{pod}") for pod in pods))


def lucky(seed, count=1200):
    draw = random.Random(seed)
    return picks(*(draw.randrange(6) for _ in range(count)))


def test_the_burden_is_the_busiest_pods_part_as_a_multiple_of_an_even_one():
    assert burden(["a"], 6) == 6
    assert burden(["a", "b", "c", "d", "e", "f"], 6) == 1
    assert burden(["a", "a", "a", "b"], 2) == 1.5


def test_every_connection_is_in_one_pool_of_each_size_and_a_rest_in_none():
    pools = Pools(lucky(1), pods=6)
    assert [len(pools.of(size)) for size in (1, 50, 400)] == [1200, 24, 3]
    assert set(pools.of(1)) == {6.0}


def test_what_a_typical_pool_does_is_said_in_words_that_luck_does_not_change():
    said = {Pools(lucky(seed), pods=6).typical(50) for seed in range(40)}
    assert said == {"about half as much again"} <= set(BURDENS)
    assert {busiest(lucky(seed)) for seed in range(40)} == {"about 200"}
    assert busiest(picks(*[1] * 1200)) == "all 1,200"


def test_too_few_connections_are_refused():
    with pytest.raises(LabError, match="too few"):
        Pools(lucky(1, count=60), pods=6)


def test_the_picture_has_a_dot_for_every_pool_and_a_line_through_the_middle():
    pools = Pools(lucky(1), pods=6)
    lines = pools.plot().axes[0].lines
    assert sum(line.get_linestyle() == "None" for line in lines) == 10
    assert [len(line.get_ydata()) for line in lines if set(line.get_xdata()) == {50}] == [24]
    assert repr(pools) == repr(Pools(lucky(2), pods=6))
