"""Rates of exploration drawn at random, at a decaying scale."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_core.types import Array
from plx_rl.explorations.decays import NEVER, DecayingRate, DecayType
from plx_rl.explorations.noise import depart
from plx_rl.explorations.random_exploration import RandomExploration


@final
class RandomDecay(RandomExploration):
    """Act at random at a rate |z| · scale, with a standard normal z for each environment.

    Each action draws a new z. In continuous spaces, the noise is z · scale. The parameters are
    those of `Decay`, for the scale.

    Args:
        exploration_rate: the initial scale, or one for each environment.
        decay_type: the formula.
        start_decay_at: the number of actions after which the decay starts.
        stop_decay_at: the number of actions after which the decay stops.
        decay_rate: the rate of the decay.
        staircase: whether the scale decays once every `decay_steps`.
        decay_steps: the number of actions over which `decay_rate` applies once.
        min_exploration_rate: the lowest scale.
        power: the power of `polynomial_decay`.
        boundaries: the boundaries of `piecewise_constant`.
        values: the values of `piecewise_constant`.
        seed: seed of the random numbers.
    """

    def __init__(
        self,
        exploration_rate: NonNegativeFloat | list[NonNegativeFloat] = 1.0,
        decay_type: DecayType = "polynomial_decay",
        start_decay_at: NonNegativeInt = 0,
        stop_decay_at: NonNegativeInt = NEVER,
        decay_rate: NonNegativeFloat = 0.96,
        staircase: bool = False,
        decay_steps: PositiveInt = 10_000,
        min_exploration_rate: NonNegativeFloat = 0.0,
        power: PositiveFloat = 1.0,
        boundaries: list[NonNegativeInt] | None = None,
        values: list[NonNegativeFloat] | None = None,
        seed: int | None = None,
    ) -> None:
        scale = DecayingRate(
            exploration_rate, decay_type, start_decay_at, stop_decay_at, decay_rate, staircase,
            decay_steps, min_exploration_rate, power, boundaries, values,
        )  # fmt: skip
        super().__init__(scale, seed)

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`."""
        scale = self.rate(timestep)
        if greedy.dtype.kind != "f":
            scale = np.abs(self._rng.standard_normal(len(greedy))) * scale
        return depart(greedy, scale, self._rng, scores, masks)
