"""Independent normal noise for continuous actions."""

from __future__ import annotations

from typing import final

from plx_core.annotations import NonNegativeFloat, PositiveInt, ScheduleLike
from plx_core.types import Array
from plx_rl.explorations.noise import require_continuous
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import annealed, as_rate


class _NormalNoise(RandomExploration):
    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not continuous.
        """
        require_continuous(self, greedy)
        return super().explore(greedy, timestep, scores, masks)


@final
class GaussianNoise(_NormalNoise):
    """Add normal noise to continuous actions, which lie in [-1, 1].

    Args:
        scale: the standard deviation, one for each environment, or a schedule of the number of
            actions.
        seed: seed of the noise.
    """

    def __init__(
        self,
        scale: ScheduleLike | NonNegativeFloat | list[NonNegativeFloat] = 0.1,
        seed: int | None = None,
    ) -> None:
        super().__init__(as_rate(scale), seed)


@final
class Gaussian(_NormalNoise):
    """Add normal noise, of a scale that may fall on a line, to continuous actions in [-1, 1].

    Args:
        sigma: the initial standard deviation.
        min_sigma: the final one, where `decay_steps` is set.
        decay_steps: the number of actions over which it falls on a straight line; constant when
            left out.
        seed: seed of the noise.
    """

    def __init__(
        self,
        sigma: NonNegativeFloat = 0.1,
        min_sigma: NonNegativeFloat = 0.0,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(annealed(sigma, min_sigma, decay_steps), seed)
