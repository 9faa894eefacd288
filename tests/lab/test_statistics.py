import math

import pytest

from kubelab.lab.statistics import chi_square_p, upper_tail


@pytest.mark.parametrize(
    ("statistic", "degrees", "p"),
    # The 5 % and 0.1 % points of the usual tables (NIST/SEMATECH handbook, 1.3.6.7.4).
    [(3.841, 1, 0.05), (5.991, 2, 0.05), (7.815, 3, 0.05), (11.070, 5, 0.05), (10.828, 1, 0.001), (13.816, 2, 0.001)],
)
def test_the_tail_agrees_with_the_tables(statistic, degrees, p):
    assert math.isclose(upper_tail(statistic, degrees), p, rel_tol=2e-3)


def test_an_even_spread_is_certain_and_a_lopsided_one_is_not_believed():
    assert chi_square_p([20, 20, 20]) == 1.0
    assert chi_square_p([60, 0, 0]) < 1e-10


def test_nothing_to_compare_is_no_alarm():
    assert chi_square_p([]) == chi_square_p([7]) == chi_square_p([0, 0]) == 1.0
