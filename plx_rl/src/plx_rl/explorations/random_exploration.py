"""The base of explorations that draw random numbers."""

from __future__ import annotations

import numpy as np

import plx_core as plx
from plx_core.types import Array
from plx_rl.explorations.noise import depart
from plx_rl.explorations.rates import Rate
from plx_rl.randomness import generator_state, restore_generator


class RandomExploration(plx.Exploration):
    """Explore at a rate, with one generator for all environments.

    Discrete actions are replaced by random ones with the rate as their probability; continuous
    actions get normal noise of that scale.

    Args:
        rate: function of the timestep.
        seed: seed of the generator.
    """

    def __init__(self, rate: Rate, seed: int | None) -> None:
        self._rate = rate
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> Array | float:
        """Return the rate after `timestep` actions."""
        return self._rate(timestep)

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`."""
        return depart(greedy, self._rate(timestep), self._rng, scores, masks)

    def reseed(self, seed: int) -> None:
        """Restart the generator from a seed."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """Return the generator's state."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Restore the generator."""
        restore_generator(self._rng, state)
