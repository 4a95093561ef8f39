"""The rollout memory of on-policy agents."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveInt
from plx_core.errors import DataError
from plx_core.types import Batch, Nested
from plx_rl.memories.base import TransitionMemory


@final
class BatchMemory(TransitionMemory):
    """A rollout memory: one batch of consecutive transitions, which sampling returns and clears.

    Args:
        batch_size: how many transitions a batch has; with N environments, batch_size / N steps of
            each.
        n_step: how many steps of an episode a sampled transition spans.
        frames: how many frames each observation stacks along its last axis; each frame is then
            stored once.
        path: a folder to store the arrays in files.
        discount: γ of n-step rewards; the model's by default.
    """

    is_cleared_by_sample = True

    def __init__(
        self,
        batch_size: PositiveInt = 256,
        n_step: PositiveInt = 1,
        frames: PositiveInt = 1,
        path: str | None = None,
        discount: Fraction | None = None,
    ) -> None:
        super().__init__(batch_size, batch_size, n_step, frames, path, discount, is_whole=True)
        self._newest = 0  # the number of transitions of the latest step: one per environment

    def step(self, **transition: Nested) -> None:
        """Add one transition for each of N environments; see `Transitions.add`.

        Raises:
            DataError: the batch is full, or N does not divide `batch_size`.
        """
        count = len(transition["reward"])
        if len(self) + count > self.batch_size:
            raise DataError(
                f"cannot add {count} transitions to a batch of {self.batch_size} that holds "
                f"{len(self)}: sample the batch when it is full, and make batch_size a multiple of "
                "the number of environments"
            )
        self._transitions.add(transition)
        self._newest = count

    def sample(self, batches: int = 1) -> Batch:
        """Return the batch and clear it: arrays [1, batch_size, …] by name, in order of the steps.

        Each step has the transitions of the N environments in turn.

        Raises:
            DataError: the batch is not full, or `batches` is not 1.
        """
        if batches != 1:
            raise DataError(f"cannot sample {batches} batches: a BatchMemory holds one")
        if not self.can_sample():
            raise DataError(
                f"cannot sample a batch of {self.batch_size}: the memory holds {len(self)} "
                "transitions"
            )
        numbers = np.arange(self._transitions.first, self._transitions.num_written)[None]
        batch = self._transitions.gather(numbers, self.discount)
        self.clear()
        return batch

    def interrupt(self) -> None:
        """End the current episodes as truncated: the environments were reset in mid-episode."""
        self._transitions.truncate(self._newest)
        super().interrupt()

    def reseed(self, seed: int) -> None:
        """Do nothing: nothing is random."""

    def state(self) -> plx.State:
        """Return the transitions."""
        return self._transitions.state() | {"newest": self._newest}

    def restore(self, state: plx.State) -> None:
        """Continue from a state of a memory with the same parameters."""
        self._transitions.restore(state)
        self._newest = int(state["newest"])
