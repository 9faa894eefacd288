import re

from kubelab.course.seed import Seed


def test_numbers_keep_their_bounds_and_reach_them():
    drawn = {Seed(str(n)).number("x", 1, 6) for n in range(200)}
    assert drawn == {1, 2, 3, 4, 5, 6}


def test_draws_for_different_purposes_are_independent():
    seed = Seed("a")
    assert seed.name("1.1/app") != seed.name("1.2/app")


def test_a_name_is_fit_for_a_label_and_a_service():
    assert all(re.fullmatch(r"[a-z]+-[a-z]+", Seed(str(n)).name("x")) for n in range(50))
