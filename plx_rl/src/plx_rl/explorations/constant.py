"""A rate that never changes."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat
from plx_rl.explorations.noise import depart
from plx_rl.randomness import generator_state, restore_generator


@final
class Constant(plx.Exploration):
    """Acts at random at a constant rate; in continuous spaces, adds normal noise of that scale.

    Args:
        value: the rate, or one for each environment.
        seed: of the coins.
    """

    def __init__(
        self, value: NonNegativeFloat | list[NonNegativeFloat] = 0.5, seed: int | None = None
    ) -> None:
        self._value = value
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """The rate, whatever the timestep."""
        return np.array(self._value) if isinstance(self._value, list) else self._value

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`."""
        return depart(greedy, self.rate(timestep), self._rng, scores, masks)

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
