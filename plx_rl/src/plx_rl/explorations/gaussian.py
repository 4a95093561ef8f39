"""Independent normal noise, for continuous actions."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat, PositiveInt
from plx_core.errors import ComponentError
from plx_rl.explorations.noise import anneal, with_noise
from plx_rl.randomness import generator_state, restore_generator


@final
class Gaussian(plx.Exploration):
    """Adds normal noise to continuous actions; 1 is half the way from one bound of an action to the other.

    Args:
        sigma: the noise's standard deviation at first.
        min_sigma: what it falls to, where `decay_steps` is given.
        decay_steps: over how many actions it falls, on a straight line; never when left out.
        seed: of the noise.
    """

    def __init__(
        self,
        sigma: NonNegativeFloat = 0.1,
        min_sigma: NonNegativeFloat = 0.0,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        self._sigma = sigma
        self._min_sigma = min_sigma
        self._decay_steps = decay_steps
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """The standard deviation after `timestep` actions."""
        return anneal(self._sigma, self._min_sigma, self._decay_steps, timestep)

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not continuous.
        """
        if greedy.dtype.kind != "f":
            raise ComponentError(
                "Gaussian explores continuous actions; these are discrete: take Constant, Decay or Boltzmann",
                about="model",
            )
        return with_noise(greedy, self.rate(timestep), self._rng)

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
