"""Random actions weighted by their scores."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_core.annotations import PositiveFloat, PositiveInt, ScheduleLike
from plx_core.errors import ComponentError
from plx_core.types import Array
from plx_rl.explorations.noise import require_discrete
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import annealed
from plx_rl.masks import mask_values_on_host

LOWEST_TEMPERATURE = 1e-6
"""Used where a schedule has fallen to 0: actions are greedy."""


@final
class Boltzmann(RandomExploration):
    """Take each discrete action with a probability proportional to exp(score / temperature).

    Args:
        temperature: the temperature, or a schedule of the number of actions; the higher, the more
            is explored.
        min_temperature: the final temperature, where `decay_steps` is set.
        decay_steps: the number of actions over which the temperature falls on a straight line;
            constant when left out.
        seed: seed of the random numbers.
    """

    def __init__(
        self,
        temperature: ScheduleLike | PositiveFloat = 1.0,
        min_temperature: PositiveFloat = 0.01,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(annealed(temperature, min_temperature, decay_steps), seed)

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not discrete, or have no scores.
        """
        require_discrete(self, greedy)
        if scores is None:
            raise ComponentError(
                "Boltzmann explores discrete actions by their scores; the model gives none: "
                "take EpsilonGreedy",
                about="model",
            )
        temperature = self.rate(timestep)
        if temperature <= 0.0:
            temperature = LOWEST_TEMPERATURE
        gumbel = -np.log(self._rng.standard_exponential(scores.shape))
        perturbed = mask_values_on_host(scores / temperature + gumbel, masks)
        return np.asarray(perturbed.argmax(axis=-1))
