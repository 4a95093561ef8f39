"""The replay memory of DQN, with uniform sampling."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveInt
from plx_core.errors import DataError
from plx_core.types import Batch
from plx_rl.memories.base import TransitionMemory
from plx_rl.randomness import generator_state, restore_generator


@final
class Memory(TransitionMemory):
    """A replay memory of the newest transitions, sampled uniformly with replacement.

    Args:
        size: how many transitions are stored.
        batch_size: how many transitions a batch has.
        n_step: how many steps of an episode a sampled transition spans.
        frames: how many frames each observation stacks along its last axis, as the wrapper
            `FrameStack` does; each frame is then stored once. 1 stores observations unchanged.
        path: a folder to store the arrays in files, if they do not fit into memory.
        discount: γ of n-step rewards; the model's by default.
        seed: the seed of the sampling.
    """

    def __init__(
        self,
        size: PositiveInt = 100_000,
        batch_size: PositiveInt = 64,
        n_step: PositiveInt = 1,
        frames: PositiveInt = 1,
        path: str | None = None,
        discount: Fraction | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(size, batch_size, n_step, frames, path, discount)
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def sample(self, batches: int = 1) -> Batch:
        """Sample batches: arrays [batches, batch_size, …] by name.

        Raises:
            DataError: there are not enough transitions for a batch.
        """
        if not self.can_sample():
            raise DataError(
                f"cannot sample a batch of {self.batch_size}: the memory holds {len(self)} "
                "transitions"
            )
        numbers = self._rng.integers(
            self._transitions.first, self._transitions.num_written, size=(batches, self.batch_size)
        )
        return self._transitions.gather(numbers, self.discount)

    def reseed(self, seed: int) -> None:
        """Restart the sampling with a seed."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """Return the transitions and the generator."""
        return self._transitions.state() | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Continue from a state of a memory with the same parameters."""
        self._transitions.restore(state)
        restore_generator(self._rng, state)
