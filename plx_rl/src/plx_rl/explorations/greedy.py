"""No exploration."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx


@final
class Greedy(plx.Exploration):
    """Always does what the model would do."""

    def rate(self, timestep: int) -> np.ndarray | float:
        """Nothing is explored."""
        return 0.0

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The greedy actions."""
        return greedy

    def state(self) -> plx.State:
        """Nothing changes over time."""
        return {}

    def restore(self, state: plx.State) -> None:
        """Nothing to go on from."""
