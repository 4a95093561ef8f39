"""How an exploration rate falls: pure functions of the number of steps since the decay began."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence


def exponential_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Rate · decay_rate^(step / decay_steps)."""
    return rate * math.pow(decay_rate, _periods(step, decay_steps, staircase))


def natural_exp_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Rate · e^(-decay_rate · step / decay_steps)."""
    return rate * math.exp(-decay_rate * _periods(step, decay_steps, staircase))


def inverse_time_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Rate / (1 + decay_rate · step / decay_steps)."""
    return rate / (1.0 + decay_rate * _periods(step, decay_steps, staircase))


def polynomial_decay(
    rate: float, step: float, decay_steps: int, end: float, power: float = 1.0
) -> float:
    """From `rate` to `end` in `decay_steps` steps: (rate - end) · (1 - step / decay_steps)^power + end, and `end` from then on."""
    return (rate - end) * math.pow(1.0 - min(step, decay_steps) / decay_steps, power) + end


def piecewise_constant(step: float, boundaries: Sequence[int], values: Sequence[float]) -> float:
    """`values[k]` from step `boundaries[k - 1]` until the next boundary."""
    return values[bisect_right(boundaries, step)]


def _periods(step: float, decay_steps: int, staircase: bool) -> float:
    return step // decay_steps if staircase else step / decay_steps
