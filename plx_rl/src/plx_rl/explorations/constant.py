"""A constant rate of exploration."""

from __future__ import annotations

from typing import final

from plx_core.annotations import NonNegativeFloat
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import as_rate


@final
class Constant(RandomExploration):
    """Act at random at a constant rate; in continuous spaces, add normal noise of that scale.

    Args:
        value: the rate, or one for each environment.
        seed: seed of the random numbers.
    """

    def __init__(
        self, value: NonNegativeFloat | list[NonNegativeFloat] = 0.5, seed: int | None = None
    ) -> None:
        super().__init__(as_rate(value), seed)
