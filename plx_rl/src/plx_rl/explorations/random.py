"""Random actions only."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_core.types import Array
from plx_rl.explorations.noise import number_of_actions, random_actions
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import as_rate


@final
class Random(RandomExploration):
    """Draw actions uniformly, whatever the model prefers: legal ones, or numbers from -1 to 1.

    Args:
        seed: seed of the random numbers.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(as_rate(1.0), seed)

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`."""
        if greedy.dtype.kind == "f":
            return self._rng.uniform(-1.0, 1.0, greedy.shape).astype(np.float32)
        return random_actions(len(greedy), number_of_actions(scores, masks), self._rng, masks)
