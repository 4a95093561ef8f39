"""The base of memories that store one ring of transitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import plx_core as plx
from plx_core.types import Batch, Nested
from plx_rl.memories.transitions import Transitions


class TransitionMemory(plx.Memory):
    """Stores `Transitions`; how they are sampled is up to the subclass.

    Args:
        size: how many transitions are stored.
        batch_size: how many transitions a batch has.
        n_step: how many steps a sampled transition spans.
        frames: how many frames each observation stacks.
        path: the folder of the arrays' files; None to store them in memory.
        discount: γ of n-step rewards.
        is_whole: always hold `size` transitions, however short episodes are.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        n_step: int,
        frames: int,
        path: str | None,
        discount: float | None,
        *,
        is_whole: bool = False,
    ) -> None:
        if batch_size > size:
            raise ValueError(
                f"a memory of size {size} cannot give a batch of {batch_size}; "
                "make size at least batch_size"
            )
        self.size = size
        self.batch_size = batch_size
        self.n_step = n_step
        self.discount = discount
        self._transitions = Transitions(
            size, n_step, frames, Path(path) if path else None, is_whole=is_whole
        )

    def __len__(self) -> int:
        return len(self._transitions)

    def step(self, **transition: Nested) -> None:
        """Add one transition for each of N environments; see `Transitions.add`."""
        self._transitions.add(transition)

    def can_sample(self, count: int | None = None) -> bool:
        """Return whether there are `count` transitions; by default, enough for a batch."""
        return len(self) >= (self.batch_size if count is None else count)

    def get_by_index(self, index: int) -> Batch:
        """Return one transition; 0 is the oldest, -1 the newest.

        Raises:
            IndexError: the memory does not have that many.
        """
        transitions = self._transitions
        number = index + (transitions.first if index >= 0 else transitions.num_written)
        if not transitions.first <= number < transitions.num_written:
            raise IndexError(f"there is no transition {index}: the memory holds {len(self)}")
        return transitions.gather(np.array(number), self.discount)

    def interrupt(self) -> None:
        """End the current episodes: the environments were reset without a step that ended them."""
        self._transitions.interrupt()

    def clear(self) -> None:
        """Remove all transitions."""
        self._transitions.clear()
