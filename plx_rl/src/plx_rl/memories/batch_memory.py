"""The memory of on-policy agents: a batch is learnt from once, then forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveInt
from plx_core.errors import DataError
from plx_rl.memories.memory import get_by_index
from plx_rl.memories.transitions import Transitions


@final
class BatchMemory(plx.Memory):
    """Collects a batch of transitions in the order in which they happened; a sample hands it over and clears it.

    Args:
        batch_size: how many transitions make a batch; over N environments, batch_size / N steps of each.
        n_step: over how many steps of an episode a sampled transition reaches.
        frames: how many frames each observation stacks along its last axis; each is then kept once.
        path: a folder in which the arrays are kept as files.
        discount: γ of the rewards that `n_step` adds up; the model's when left out.
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
        self.size = batch_size
        self.batch_size = batch_size
        self.discount = discount
        self.n_step = n_step
        self._transitions = Transitions(
            batch_size, n_step, frames, Path(path) if path else None, is_whole=True
        )
        self._newest = 0  # how many transitions the last step added: one for each environment

    def __len__(self) -> int:
        return len(self._transitions)

    def step(self, **transition: Any) -> None:
        """Add one transition for each of N environments; see `Transitions.add`.

        Raises:
            DataError: the batch is full, or N does not divide it.
        """
        count = len(transition["reward"])
        if len(self) + count > self.batch_size:
            raise DataError(
                f"{count} transitions were added to a batch of {self.batch_size} that holds {len(self)}: sample it when it is full, "
                f"and let the number of environments divide batch_size"
            )
        self._transitions.add(transition)
        self._newest = count

    def can_sample(self, count: int | None = None) -> bool:
        """Whether the batch is full, or holds `count` transitions."""
        return len(self) >= (self.batch_size if count is None else count)

    def sample(self, batches: int = 1) -> Mapping[str, Any]:
        """Hand the batch over, and clear it: arrays [1, batch_size, ...] by name, the steps of N environments in turn.

        Raises:
            DataError: the batch is not full, or more than the one batch was asked for.
        """
        if batches != 1 or not self.can_sample():
            raise DataError(
                f"{batches} batches of {self.batch_size} were asked of a memory that holds {len(self)} transitions of one"
            )
        numbers = np.arange(self._transitions.first, self._transitions.written)[None]
        batch = self._transitions.gather(numbers, self.discount)
        self.clear()
        return batch

    def get_by_index(self, index: int) -> Mapping[str, Any]:
        """One transition: 0 is the oldest, -1 the newest."""
        return get_by_index(self._transitions, index, self.discount)

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before, which is cut short there."""
        self._transitions.truncate(self._newest)
        self._transitions.interrupt()

    def clear(self) -> None:
        """Forget every transition."""
        self._transitions.clear()

    def state(self) -> plx.State:
        """The transitions."""
        return self._transitions.state() | {"newest": self._newest}

    def restore(self, state: plx.State) -> None:
        """Go on from a state, of a memory with the same parameters."""
        self._transitions.restore(state)
        self._newest = int(state["newest"])
