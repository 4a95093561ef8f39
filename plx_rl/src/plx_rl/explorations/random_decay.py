"""A rate that is itself drawn at random, less and less widely."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_rl.explorations.decaying_rate import NEVER, DecayingRate, DecayType
from plx_rl.explorations.noise import depart
from plx_rl.randomness import generator_state, restore_generator


@final
class RandomDecay(plx.Exploration):
    """Draws a new rate for each environment at each action: the size of a normal number, times a scale that falls.

    In continuous spaces the normal number itself is the noise. The parameters are those of `Decay`, for the scale.

    Args:
        exploration_rate: the scale at first, or one for each environment.
        decay_type: how it falls.
        start_decay_at: after how many actions it begins to fall.
        stop_decay_at: after how many it falls no further.
        decay_rate: how fast it falls.
        staircase: whether it falls once in each `decay_steps`.
        decay_steps: over how many actions `decay_rate` acts once.
        min_exploration_rate: the scale never falls below this.
        power: of `polynomial_decay`.
        boundaries: of `piecewise_constant`.
        values: of `piecewise_constant`.
        seed: of the draws.
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
        self._scale = DecayingRate(
            exploration_rate, decay_type, start_decay_at, stop_decay_at, decay_rate, staircase, decay_steps,
            min_exploration_rate, power, boundaries, values,
        )  # fmt: skip
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """The scale after `timestep` actions."""
        return self._scale(timestep)

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`."""
        scale = self._scale(timestep)
        if greedy.dtype.kind != "f":
            scale = np.abs(self._rng.standard_normal(len(greedy))) * scale
        return depart(greedy, scale, self._rng, scores, masks)

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
