"""Prioritized experience replay: transitions with a large TD error are sampled more often."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import Fraction, PositiveFloat, PositiveInt
from plx_core.errors import DataError
from plx_core.types import Batch
from plx_rl.memories.base import TransitionMemory
from plx_rl.memories.sum_tree import SumTree
from plx_rl.randomness import generator_state, restore_generator


@final
class PrioritizedMemory(TransitionMemory):
    """A replay memory of the newest transitions, sampled in proportion to their priorities.

    The priority of a transition is (|δ| + ε)^α, where δ is its TD error in the latest update; a new
    transition gets the highest priority so far. A sample has the importance-sampling `weights`,
    (N P(i))^-β divided by their maximum in the batch, and `indices` for `update_priorities`. With
    numba (`plx-rl[numba]`) the sum tree is compiled: the same bits, several times as fast.

    Args:
        size: how many transitions are stored.
        batch_size: how many transitions a batch has.
        alpha: α, from 0 (uniform) to 1 (in proportion to the error).
        beta: the initial β; it grows linearly to 1.
        beta_steps: the number of added transitions at which β is 1.
        epsilon: ε, which keeps the priority of a transition without error above 0.
        n_step: how many steps of an episode a sampled transition spans.
        frames: how many frames each observation stacks along its last axis; each frame is then
            stored once.
        path: a folder to store the arrays in files.
        discount: γ of n-step rewards; the model's by default.
        seed: the seed of the sampling.

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
        super().__init__(size, batch_size, n_step, frames, path, discount)
        self._alpha = alpha
        self._beta = beta
        self._beta_steps = beta_steps
        self._epsilon = epsilon
        self._tree = fastest_sum_tree(size)
        self._highest = 1.0
        self._prioritized = 0
        self._first = 0
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    @property
    def beta(self) -> float:
        """β of the next sample."""
        progress = min(1.0, self._transitions.num_written / self._beta_steps)
        return self._beta + (1.0 - self._beta) * progress

    def sample(self, batches: int = 1) -> Batch:
        """Sample batches: arrays [batches, batch_size, …] by name, with `weights` and `indices`.

        Sampling is stratified: a batch has one transition from each of `batch_size` equal shares of
        the total priority.

        Raises:
            DataError: there are not enough transitions for a batch.
        """
        if not self.can_sample():
            raise DataError(
                f"cannot sample a batch of {self.batch_size}: the memory holds {len(self)} "
                "transitions"
            )
        self._prioritize_new()
        shares = np.arange(self.batch_size) + self._rng.random((batches, self.batch_size))
        indices = self._tree.find(shares * (self._tree.total / self.batch_size))
        priorities = self._tree.get(indices)
        # N and the total priority cancel out in the division by the maximum.
        weights = (priorities / priorities.min(axis=-1, keepdims=True)) ** -self.beta
        first = self._transitions.first
        numbers = first + (indices - first) % self.size
        return self._transitions.gather(numbers, self.discount) | {
            "weights": weights.astype(np.float32),
            "indices": numbers,
        }

    def update_priorities(self, indices: np.ndarray, errors: np.ndarray) -> None:
        """Update the priorities of transitions with their TD errors.

        Args:
            indices: `indices` of a sample.
            errors: δ, of the same shape.

        Raises:
            DataError: an error is not finite.
        """
        self._prioritize_new()
        numbers = np.ravel(indices)
        errors = np.abs(np.ravel(errors)).astype(np.float64)
        is_stored = numbers >= self._transitions.first
        priorities = (errors[is_stored] + self._epsilon) ** self._alpha
        if not np.isfinite(priorities).all():
            raise DataError("the TD error of a transition is not finite")
        self._tree.set(numbers[is_stored] % self.size, priorities)
        self._highest = max(self._highest, float(priorities.max(initial=0.0)))

    def clear(self) -> None:
        """Remove all transitions and priorities."""
        super().clear()
        self._tree.fill(np.zeros(self.size))
        self._highest = 1.0
        self._prioritized = 0
        self._first = 0

    def reseed(self, seed: int) -> None:
        """Restart the sampling with a seed."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """Return the transitions, their priorities and the generator."""
        priorities = {
            "priorities": self._tree.leaves().copy(),
            "highest": self._highest,
            "prioritized": self._prioritized,
        }
        return self._transitions.state() | priorities | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Continue from a state of a memory with the same parameters."""
        self._transitions.restore(state)
        self._tree.fill(np.asarray(state["priorities"]))
        self._highest = float(state["highest"])
        self._prioritized = int(state["prioritized"])
        self._first = 0
        restore_generator(self._rng, state)

    def _prioritize_new(self) -> None:
        """Set the priorities of all transitions added since the last call, in one operation."""
        first, end = self._transitions.first, self._transitions.num_written
        # Some frames of the transitions before `first` are overwritten.
        self._prioritize(max(self._first, end - self.size), first, 0.0)
        self._prioritize(max(self._prioritized, first), end, self._highest)
        self._first = first
        self._prioritized = end

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
