"""Nothing but exploration."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_rl.explorations.noise import number_of_actions, random_actions
from plx_rl.randomness import generator_state, restore_generator


@final
class Random(plx.Exploration):
    """Never does what the model would do: each legal action is as likely as any other, or each number from -1 to 1.

    Args:
        seed: of the draws.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """Everything is explored."""
        return 1.0

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`."""
        if greedy.dtype.kind == "f":
            return self._rng.uniform(-1.0, 1.0, greedy.shape).astype(np.float32)
        return random_actions(len(greedy), number_of_actions(scores, masks), self._rng, masks)

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
