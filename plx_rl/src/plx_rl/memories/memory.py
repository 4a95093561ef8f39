"""The replay memory of DQN: every transition is as likely as any other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveInt
from plx_core.errors import DataError
from plx_rl.memories.transitions import Transitions
from plx_rl.randomness import generator_state, restore_generator


@final
class Memory(plx.Memory):
    """Keeps the newest transitions, and draws batches of them uniformly, with replacement.

    Args:
        size: how many transitions are kept.
        batch_size: how many make a batch.
        n_step: over how many steps of an episode a sampled transition reaches.
        frames: how many frames each observation stacks along its last axis, as the `FrameStack` wrapper does; each is then
            kept once. 1 keeps observations as they are.
        path: a folder in which the arrays are kept as files, for more than fits into memory.
        discount: γ of the rewards that `n_step` adds up; the model's when left out.
        seed: of the draws.
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
        if batch_size > size:
            raise ValueError(
                f"a memory of size {size} cannot give a batch of {batch_size}; make size at least batch_size"
            )
        self.size = size
        self.batch_size = batch_size
        self.discount = discount
        self.n_step = n_step
        self._transitions = Transitions(size, n_step, frames, Path(path) if path else None)
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._transitions)

    def step(self, **transition: Any) -> None:
        """Add one transition for each of N environments; see `Transitions.add`."""
        self._transitions.add(transition)

    def can_sample(self, count: int | None = None) -> bool:
        """Whether there are `count` transitions, or enough for a batch."""
        return len(self) >= (self.batch_size if count is None else count)

    def sample(self, batches: int = 1) -> Mapping[str, Any]:
        """Draw `batches` batches at once: arrays [batches, batch_size, ...] by name.

        Raises:
            DataError: there are not enough transitions for a batch.
        """
        if not self.can_sample():
            raise DataError(
                f"a batch of {self.batch_size} was asked of a memory that holds {len(self)} transitions"
            )
        numbers = self._rng.integers(
            self._transitions.first, self._transitions.written, size=(batches, self.batch_size)
        )
        return self._transitions.gather(numbers, self.discount)

    def get_by_index(self, index: int) -> Mapping[str, Any]:
        """One transition: 0 is the oldest, -1 the newest."""
        return get_by_index(self._transitions, index, self.discount)

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before."""
        self._transitions.interrupt()

    def clear(self) -> None:
        """Forget every transition."""
        self._transitions.clear()

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The transitions and the generator."""
        return self._transitions.state() | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state, of a memory with the same parameters."""
        self._transitions.restore(state)
        restore_generator(self._rng, state)


def get_by_index(transitions: Transitions, index: int, discount: float | None) -> dict[str, Any]:
    """One transition of those kept: 0 is the oldest, -1 the newest.

    Raises:
        IndexError: there are not so many.
    """
    number = index + (transitions.first if index >= 0 else transitions.written)
    if not transitions.first <= number < transitions.written:
        raise IndexError(f"transition {index} was asked of a memory that holds {len(transitions)}")
    return transitions.gather(np.array(number), discount)
