"""Golden numbers of the decays."""

import math

import pytest

from plx_rl.explorations import decays


@pytest.mark.parametrize(
    ("decayed", "expected"),
    [
        (decays.exponential_decay(0.8, 15, 10, 0.5), 0.8 * 0.5**1.5),
        (decays.exponential_decay(0.8, 19, 10, 0.5, staircase=True), 0.4),
        (decays.natural_exp_decay(0.8, 15, 10, 0.5), 0.8 * math.exp(-0.75)),
        (decays.natural_exp_decay(0.8, 19, 10, 0.5, staircase=True), 0.8 * math.exp(-0.5)),
        (decays.inverse_time_decay(0.8, 15, 10, 2.0), 0.2),
        (decays.inverse_time_decay(0.8, 15, 10, 2.0, staircase=True), 0.8 / 3),
        (decays.polynomial_decay(1.0, 4, 16, 0.2), 0.8),
        (decays.polynomial_decay(1.0, 8, 16, 0.2, power=2.0), 0.4),
        (decays.polynomial_decay(1.0, 99, 16, 0.2), 0.2),
        (decays.piecewise_constant(9, [10, 20], [1.0, 0.5, 0.1]), 1.0),
        (decays.piecewise_constant(10, [10, 20], [1.0, 0.5, 0.1]), 0.5),
        (decays.piecewise_constant(20, [10, 20], [1.0, 0.5, 0.1]), 0.1),
    ],
)
def test_decay(decayed, expected):
    assert decayed == pytest.approx(expected)
