"""Epsilon-greedy exploration of discrete actions."""

from __future__ import annotations

from typing import final

from plx_core.annotations import Fraction, ScheduleLike
from plx_core.types import Array
from plx_rl.explorations.noise import require_discrete
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import as_rate


@final
class EpsilonGreedy(RandomExploration):
    """Take a random action with probability epsilon, and the greedy one otherwise.

    Args:
        epsilon: the probability, one for each environment, or a schedule of the number of actions.
        seed: seed of the random numbers.
    """

    def __init__(
        self, epsilon: ScheduleLike | Fraction | list[Fraction] = 0.1, seed: int | None = None
    ) -> None:
        super().__init__(as_rate(epsilon), seed)

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not discrete.
        """
        require_discrete(self, greedy)
        return super().explore(greedy, timestep, scores, masks)
