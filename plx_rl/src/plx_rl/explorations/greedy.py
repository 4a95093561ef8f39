"""No exploration."""

from __future__ import annotations

from typing import final

import plx_core as plx
from plx_core.types import Array


@final
class Greedy(plx.Exploration):
    """Always take the greedy action."""

    def rate(self, timestep: int) -> float:
        """Return 0: nothing is explored."""
        return 0.0

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the greedy actions."""
        return greedy

    def reseed(self, seed: int) -> None:
        """Do nothing: nothing is random."""

    def state(self) -> plx.State:
        """Return nothing: there is no state."""
        return {}

    def restore(self, state: plx.State) -> None:
        """Do nothing: there is no state."""
