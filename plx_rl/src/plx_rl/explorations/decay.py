"""A rate that falls: the exploration of DQN."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_rl.explorations.decaying_rate import NEVER, DecayingRate, DecayType
from plx_rl.explorations.noise import depart
from plx_rl.randomness import generator_state, restore_generator


@final
class Decay(plx.Exploration):
    """Acts at random at a rate that falls with the actions taken; in continuous spaces, adds normal noise of that scale.

    Args:
        exploration_rate: the rate at first, or one for each environment.
        decay_type: how it falls. `polynomial_decay` reaches `min_exploration_rate` after `decay_steps`, on a straight line
            if `power` is 1.
        start_decay_at: after how many actions it begins to fall.
        stop_decay_at: after how many it falls no further.
        decay_rate: how fast it falls; what `exponential_decay`, `natural_exp_decay` and `inverse_time_decay` need.
        staircase: whether it falls once in each `decay_steps`, not at every action; for the same three.
        decay_steps: over how many actions `decay_rate` acts once.
        min_exploration_rate: it never falls below this.
        power: of `polynomial_decay`.
        boundaries: of `piecewise_constant`: after how many actions, since the decay began, the rate changes.
        values: of `piecewise_constant`: the rates between the boundaries, one more than there are boundaries.
        seed: of the coins.
    """

    def __init__(
        self,
        exploration_rate: NonNegativeFloat | list[NonNegativeFloat] = 0.15,
        decay_type: DecayType = "polynomial_decay",
        start_decay_at: NonNegativeInt = 0,
        stop_decay_at: NonNegativeInt = NEVER,
        decay_rate: NonNegativeFloat = 0.96,
        staircase: bool = False,
        decay_steps: PositiveInt = 100_000,
        min_exploration_rate: NonNegativeFloat = 0.0,
        power: PositiveFloat = 1.0,
        boundaries: list[NonNegativeInt] | None = None,
        values: list[NonNegativeFloat] | None = None,
        seed: int | None = None,
    ) -> None:
        self._rate = DecayingRate(
            exploration_rate, decay_type, start_decay_at, stop_decay_at, decay_rate, staircase, decay_steps,
            min_exploration_rate, power, boundaries, values,
        )  # fmt: skip
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """The rate after `timestep` actions."""
        return self._rate(timestep)

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`."""
        return depart(greedy, self._rate(timestep), self._rng, scores, masks)

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
