"""Better actions are likelier."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import PositiveFloat, PositiveInt
from plx_core.errors import ComponentError
from plx_rl.explorations.noise import anneal
from plx_rl.masks import mask_values_on_host
from plx_rl.randomness import generator_state, restore_generator


@final
class Boltzmann(plx.Exploration):
    """Takes each discrete action with a probability proportional to exp(score / temperature).

    Args:
        temperature: at first; the higher, the more is explored.
        min_temperature: what it falls to, where `decay_steps` is given.
        decay_steps: over how many actions it falls, on a straight line; never when left out.
        seed: of the draws.
    """

    def __init__(
        self,
        temperature: PositiveFloat = 1.0,
        min_temperature: PositiveFloat = 0.01,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        self._temperature = temperature
        self._min_temperature = min_temperature
        self._decay_steps = decay_steps
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """The temperature after `timestep` actions."""
        return anneal(self._temperature, self._min_temperature, self._decay_steps, timestep)

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not discrete, or have no scores.
        """
        if scores is None or greedy.dtype.kind == "f":
            raise ComponentError(
                "Boltzmann explores discrete actions by their scores; these have none: take Gaussian or OrnsteinUhlenbeck",
                about="model",
            )
        gumbel = -np.log(self._rng.standard_exponential(scores.shape))
        return np.asarray(
            mask_values_on_host(scores / self.rate(timestep) + gumbel, masks).argmax(axis=-1)
        )

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
