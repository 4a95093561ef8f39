"""Decaying rates of exploration, computed on the host: the formulas of TensorFlow 1's decays."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from plx_core.types import Array

DecayType: TypeAlias = Literal[
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "polynomial_decay",
    "piecewise_constant",
]
NEVER = 1_000_000_000


def exponential_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Return rate · decay_rate^(step / decay_steps)."""
    return rate * math.pow(decay_rate, _periods(step, decay_steps, staircase))


def natural_exp_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Return rate · e^(-decay_rate · step / decay_steps)."""
    return rate * math.exp(-decay_rate * _periods(step, decay_steps, staircase))


def inverse_time_decay(
    rate: float, step: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    """Return rate / (1 + decay_rate · step / decay_steps)."""
    return rate / (1.0 + decay_rate * _periods(step, decay_steps, staircase))


def polynomial_decay(
    rate: float, step: float, decay_steps: int, end: float, power: float = 1.0
) -> float:
    """Return (rate - end) · (1 - step / decay_steps)^power + end; `end` after `decay_steps`."""
    return (rate - end) * math.pow(1.0 - min(step, decay_steps) / decay_steps, power) + end


def piecewise_constant(step: float, boundaries: Sequence[int], values: Sequence[float]) -> float:
    """Return `values[k]` from step `boundaries[k - 1]` until the next boundary."""
    return values[bisect_right(boundaries, step)]


def _periods(step: float, decay_steps: int, staircase: bool) -> float:
    return step // decay_steps if staircase else step / decay_steps


FUNCTIONS = {
    "exponential_decay": exponential_decay,
    "inverse_time_decay": inverse_time_decay,
    "natural_exp_decay": natural_exp_decay,
}


@frozen
class DecayingRate:
    """A rate as a function of the timestep; see `Decay` for the fields.

    Raises:
        ValueError: the boundaries and values do not fit each other or the type of decay, or the
            decay stops before it starts.
    """

    exploration_rate: float | Sequence[float]
    decay_type: DecayType = "polynomial_decay"
    start_decay_at: int = 0
    stop_decay_at: int = NEVER
    decay_rate: float = 0.96
    staircase: bool = False
    decay_steps: int = 100_000
    min_exploration_rate: float = 0.0
    power: float = 1.0
    boundaries: Sequence[int] | None = None
    values: Sequence[float] | None = None

    def __attrs_post_init__(self) -> None:
        has_both = self.boundaries is not None and self.values is not None
        if (self.decay_type == "piecewise_constant") != has_both:
            raise ValueError(
                "decay_type piecewise_constant takes boundaries and values; "
                "the other types take neither"
            )
        if self.boundaries is not None and self.values is not None:
            if len(self.values) != len(self.boundaries) + 1:
                raise ValueError(
                    "there must be one value more than boundaries; "
                    f"got {len(self.values)} and {len(self.boundaries)}"
                )
            if list(self.boundaries) != sorted(self.boundaries):
                raise ValueError(f"boundaries must be in rising order; got {list(self.boundaries)}")
        if self.stop_decay_at < self.start_decay_at:
            raise ValueError(
                f"the decay stops at {self.stop_decay_at}, before it starts at "
                f"{self.start_decay_at}"
            )

    def __call__(self, timestep: int) -> Array | float:
        """Return the rate after `timestep` actions: a number, or [N] for a rate per environment."""
        step = min(timestep, self.stop_decay_at) - self.start_decay_at
        if isinstance(self.exploration_rate, Sequence):
            return np.array([self._decayed(rate, step) for rate in self.exploration_rate])
        return self._decayed(self.exploration_rate, step)

    def _decayed(self, rate: float, step: int) -> float:
        if self.boundaries is not None and self.values is not None:
            decayed = piecewise_constant(step, self.boundaries, self.values)
        elif step <= 0:
            return rate
        elif self.decay_type == "polynomial_decay":
            end = min(rate, self.min_exploration_rate)
            decayed = polynomial_decay(rate, step, self.decay_steps, end, self.power)
        else:
            decay = FUNCTIONS[self.decay_type]
            decayed = decay(rate, step, self.decay_steps, self.decay_rate, self.staircase)
        return max(decayed, self.min_exploration_rate)
