"""A rate that falls with the number of actions taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from attrs import frozen

from plx_rl.explorations import decays

DecayType: TypeAlias = Literal[
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "polynomial_decay",
    "piecewise_constant",
]
NEVER = 1_000_000_000
FUNCTIONS = {
    "exponential_decay": decays.exponential_decay,
    "inverse_time_decay": decays.inverse_time_decay,
    "natural_exp_decay": decays.natural_exp_decay,
}


@frozen
class DecayingRate:
    """A function of the timestep; see `Decay` for what its fields mean."""

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
        if (self.decay_type == "piecewise_constant") != (
            self.boundaries is not None and self.values is not None
        ):
            raise ValueError(
                "boundaries and values are given together, for the decay_type piecewise_constant alone"
            )
        if (
            self.boundaries is not None
            and self.values is not None
            and len(self.values) != len(self.boundaries) + 1
        ):
            raise ValueError(
                f"there is one value more than there are boundaries; got {len(self.values)} and {len(self.boundaries)}"
            )
        if self.boundaries is not None and list(self.boundaries) != sorted(self.boundaries):
            raise ValueError(f"boundaries are in rising order; got {list(self.boundaries)}")
        if self.stop_decay_at < self.start_decay_at:
            raise ValueError(
                f"the decay stops at {self.stop_decay_at}, before it starts at {self.start_decay_at}"
            )

    def __call__(self, timestep: int) -> np.ndarray | float:
        """The rate after `timestep` actions: a number, or [N] where there is one for each environment."""
        step = min(timestep, self.stop_decay_at) - self.start_decay_at
        if isinstance(self.exploration_rate, Sequence):
            return np.array([self._decayed(rate, step) for rate in self.exploration_rate])
        return self._decayed(self.exploration_rate, step)

    def _decayed(self, rate: float, step: int) -> float:
        if self.boundaries is not None and self.values is not None:
            return max(
                decays.piecewise_constant(step, self.boundaries, self.values),
                self.min_exploration_rate,
            )
        if step <= 0:
            return rate
        if self.decay_type == "polynomial_decay":
            rate = decays.polynomial_decay(
                rate, step, self.decay_steps, min(rate, self.min_exploration_rate), self.power
            )
        else:
            rate = FUNCTIONS[self.decay_type](
                rate, step, self.decay_steps, self.decay_rate, self.staircase
            )
        return max(rate, self.min_exploration_rate)
