"""Prioritized replay: transitions that surprised are drawn more often."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveFloat, PositiveInt
from plx_core.errors import DataError
from plx_rl.memories.memory import get_by_index
from plx_rl.memories.sum_tree import SumTree
from plx_rl.memories.transitions import Transitions
from plx_rl.randomness import generator_state, restore_generator


@final
class PrioritizedMemory(plx.Memory):
    """Keeps the newest transitions, and draws each in proportion to its priority.

    A priority is (|δ| + ε)^α, of the error δ with which the transition was last learnt; a new one has the highest so far.
    A sample has `weights` (N P(i))^-β, the largest of its batch being 1, with which the bias of the draw is undone, and
    `indices`, with which `update_priorities` is told the new errors. Where numba is installed (`plx-rl[numba]`), the sums of
    priorities are kept in compiled loops, with the same bits, several times as fast.

    Args:
        size: how many transitions are kept.
        batch_size: how many make a batch.
        alpha: α, from 0 (uniform) to 1 (in proportion to the error).
        beta: β at first; it grows to 1.
        beta_steps: how many transitions have been added when β is 1.
        epsilon: ε, which keeps a transition without error in the draw.
        n_step: over how many steps of an episode a sampled transition reaches.
        frames: how many frames each observation stacks along its last axis; each is then kept once.
        path: a folder in which the arrays are kept as files.
        discount: γ of the rewards that `n_step` adds up; the model's when left out.
        seed: of the draws.

    Source: Schaul et al. 2016, "Prioritized Experience Replay", proportional variant.
    """

    def __init__(
        self,
        size: PositiveInt = 100_000,
        batch_size: PositiveInt = 64,
        alpha: Fraction = 0.6,
        beta: Fraction = 0.4,
        beta_steps: PositiveInt = 100_000,
        epsilon: PositiveFloat = 1e-6,
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
        self._alpha = alpha
        self._beta = beta
        self._beta_steps = beta_steps
        self._epsilon = epsilon
        self._transitions = Transitions(size, n_step, frames, Path(path) if path else None)
        self._tree = fastest_sum_tree(size)
        self._highest = 1.0
        self._prioritized = 0
        self._first = 0
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._transitions)

    @property
    def beta(self) -> float:
        """β of the next sample."""
        return self._beta + (1.0 - self._beta) * min(
            1.0, self._transitions.written / self._beta_steps
        )

    def step(self, **transition: Any) -> None:
        """Add one transition for each of N environments; see `Transitions.add`."""
        self._transitions.add(transition)

    def can_sample(self, count: int | None = None) -> bool:
        """Whether there are `count` transitions, or enough for a batch."""
        return len(self) >= (self.batch_size if count is None else count)

    def sample(self, batches: int = 1) -> Mapping[str, Any]:
        """Draw `batches` batches at once: arrays [batches, batch_size, ...] by name, with `weights` and `indices`.

        Each batch has one draw from each of `batch_size` equal shares of the priorities.

        Raises:
            DataError: there are not enough transitions for a batch.
        """
        if not self.can_sample():
            raise DataError(
                f"a batch of {self.batch_size} was asked of a memory that holds {len(self)} transitions"
            )
        self._prioritize_new()
        shares = np.arange(self.batch_size) + self._rng.random((batches, self.batch_size))
        places = self._tree.find(shares * (self._tree.total / self.batch_size))
        priorities = self._tree.get(places)
        weights = (
            priorities / priorities.min(axis=-1, keepdims=True)
        ) ** -self.beta  # N and the sum cancel out
        first = self._transitions.first
        numbers = first + (places - first) % self.size
        extra = {"weights": weights.astype(np.float32), "indices": numbers}
        return self._transitions.gather(numbers, self.discount) | extra

    def update_priorities(self, indices: np.ndarray, errors: np.ndarray) -> None:
        """Say with what error transitions were learnt: `indices` of a sample, and δ of the same shape."""
        self._prioritize_new()
        numbers, errors = np.ravel(indices), np.abs(np.ravel(errors)).astype(np.float64)
        kept = numbers >= self._transitions.first
        priorities = (errors[kept] + self._epsilon) ** self._alpha
        if not np.isfinite(priorities).all():
            raise DataError("a transition was learnt with an error that is not finite")
        self._tree.set(numbers[kept] % self.size, priorities)
        self._highest = max(self._highest, float(priorities.max(initial=0.0)))

    def get_by_index(self, index: int) -> Mapping[str, Any]:
        """One transition: 0 is the oldest, -1 the newest."""
        return get_by_index(self._transitions, index, self.discount)

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before."""
        self._transitions.interrupt()

    def clear(self) -> None:
        """Forget every transition and priority."""
        self._transitions.clear()
        self._tree.fill(np.zeros(self.size))
        self._highest = 1.0
        self._prioritized = 0
        self._first = 0

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The transitions, their priorities and the generator."""
        priorities = {
            "priorities": self._tree.leaves().copy(),
            "highest": self._highest,
            "prioritized": self._prioritized,
        }
        return self._transitions.state() | priorities | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state, of a memory with the same parameters."""
        self._transitions.restore(state)
        self._tree.fill(np.asarray(state["priorities"]))
        self._highest = float(state["highest"])
        self._prioritized = int(state["prioritized"])
        self._first = 0
        restore_generator(self._rng, state)

    def _prioritize_new(self) -> None:
        """Give the transitions added since the last call their priority: all in one go, which costs far less than each alone."""
        first, written = self._transitions.first, self._transitions.written
        self._prioritize(
            max(self._first, written - self.size), first, 0.0
        )  # their frames are no longer all there
        self._prioritize(max(self._prioritized, first), written, self._highest)
        self._first, self._prioritized = first, written

    def _prioritize(self, begin: int, end: int, priority: float) -> None:
        if begin < end:
            self._tree.set(np.arange(begin, end) % self.size, np.full(end - begin, priority))


def fastest_sum_tree(size: int) -> SumTree:
    """Return a `SumTree`, compiled where numba is installed.

    Both produce the same bits, so a run can be resumed with either.
    """
    try:
        from plx_rl.memories.compiled_sum_tree import CompiledSumTree
    except ImportError:
        return SumTree(size)
    return CompiledSumTree(size)
