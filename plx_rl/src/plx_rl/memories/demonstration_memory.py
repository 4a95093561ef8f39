"""The memory of agents that also learn from an expert's demonstrations."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import numpy as np

import plx_core as plx
from plx_core import make
from plx_core.annotations import Fraction, MemoryLike, PositiveInt
from plx_core.errors import DataError
from plx_core.types import Batch, Nested
from plx_rl.memories.demonstrations import check_spaces, in_order, load
from plx_rl.memories.ring import flatten, nest
from plx_rl.memories.transitions import Transitions
from plx_rl.randomness import generator_state, restore_generator


@final
class DemonstrationMemory(plx.Memory):
    """A replay memory in which a fixed share of each batch comes from an expert.

    The expert's transitions are never removed. In a sample, `demonstration`, bool, marks them.
    Until the agent has enough transitions for its part of a batch, all are the expert's.

    Source: for demonstrations that are never overwritten, Hester et al. 2018, "Deep Q-learning from
    Demonstrations"; for a fixed share of each batch instead of a bonus on priorities, Paine et al.
    2020, "Making Efficient Use of Demonstrations", section 3 (R2D3).

    Args:
        demonstrations: an `.npz` file of `plx record`, or `minari:ID`. Observations, actions and
            rewards are the environment's own; a sample has them as the agent sees them, normalised
            by the statistics of the time.
        share: the expert's share of each batch.
        batch_size: how many transitions a batch has.
        memory: stores the agent's own transitions; its `batch_size` is set to the rest of a batch.
        n_step: how many steps of an episode a sampled expert transition spans; use the same number
            for `memory`.
        discount: γ of n-step rewards; the model's by default.
        seed: the seed of the sampling.
    """

    holds_demonstrations = True

    def __init__(
        self,
        demonstrations: str,
        share: Fraction = 0.25,
        batch_size: PositiveInt = 64,
        memory: MemoryLike = "Memory",
        n_step: PositiveInt = 1,
        discount: Fraction | None = None,
        seed: int | None = None,
    ) -> None:
        self._source = demonstrations
        self._columns = columns = load(demonstrations)
        self._env: plx.Environment | None = None
        self.batch_size = batch_size
        self._count = round(share * batch_size)
        if not 0 < self._count < batch_size:
            raise ValueError(
                f"a share of {share} gives the expert {self._count} of a batch of {batch_size}; "
                "it must have at least 1, but not all"
            )
        self._own: plx.Memory = make("memories", memory, seed=seed)
        self._own.batch_size = batch_size - self._count
        self._expert = Transitions(len(columns["reward"]), n_step)
        if n_step == 1:
            self._expert.add(nest(columns))
        else:
            for transition in in_order(columns):
                self._expert.add(transition)
        self.seed = seed
        self._rng = np.random.default_rng(None if seed is None else [seed, 1])
        self.size = self._own.size
        self.discount = discount

    @property
    def discount(self) -> float | None:
        """γ of n-step rewards."""
        return self._discount

    @discount.setter
    def discount(self, value: float | None) -> None:
        self._discount = value
        if self._own.discount is None:
            self._own.discount = value

    def __len__(self) -> int:
        return len(self._own)

    def attach(self, env: plx.Environment) -> None:
        """Convert the demonstrations for this environment, whenever they are sampled.

        Raises:
            DataError: an observation or action is not an element of the environment's own spaces.
        """
        check_spaces(self._columns, env, self._source)
        self._env = env
        self._own.attach(env)

    def step(self, **transition: Nested) -> None:
        """Add one transition of the agent for each of N environments; see `Transitions.add`."""
        self._own.step(**transition)

    def can_sample(self, count: int | None = None) -> bool:
        """Return whether the agent has `count` transitions; a batch can always be sampled."""
        return count is None or self._own.can_sample(count)

    def sample(self, batches: int = 1) -> Batch:
        """Sample batches, [batches, batch_size, …] by name, with the agent's transitions first."""
        if not self._own.can_sample():
            return self._sample_expert(batches, self.batch_size)
        own = dict(flatten(self._own.sample(batches)))
        indices = own.pop("indices", None)
        expert = dict(flatten(self._sample_expert(batches, self._count)))
        own["demonstration"] = np.zeros(own["reward"].shape, bool)
        own.setdefault("weights", np.ones(own["reward"].shape, np.float32))
        if missing := sorted(own.keys() - expert.keys()):
            raise DataError(
                f"the demonstrations {self._source} have no {', '.join(missing)}, which the "
                "environment's transitions have; record them in the same environment"
            )
        batch = nest(
            {
                name: np.concatenate([column, expert[name].astype(column.dtype)], axis=1)
                for name, column in own.items()
            }
        )
        return batch if indices is None else batch | {"indices": indices}

    def update_priorities(self, indices: np.ndarray, errors: np.ndarray) -> None:
        """Update the priorities of the agent's own transitions with their TD errors."""
        self._own.update_priorities(indices, errors[:, : indices.shape[1]])

    def get_by_index(self, index: int) -> Batch:
        """Return one of the agent's own transitions; 0 is the oldest, -1 the newest."""
        return self._own.get_by_index(index)

    def interrupt(self) -> None:
        """End the current episodes: the environments were reset without a step that ended them."""
        self._own.interrupt()

    def clear(self) -> None:
        """Remove the agent's own transitions."""
        self._own.clear()

    def reseed(self, seed: int) -> None:
        """Restart the sampling with a seed, also that of the inner memory if it has none."""
        self._rng = np.random.default_rng([seed, 1])
        if self._own.seed is None:
            self._own.reseed(seed)

    def state(self) -> plx.State:
        """Return the agent's own transitions and the generator; the expert's are in their file."""
        return {"own": self._own.state(), "expert": len(self._expert)} | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Continue from a state of a memory with the same parameters.

        Raises:
            DataError: the number of demonstrations differs.
        """
        if state["expert"] != len(self._expert):
            raise DataError(
                f"there are {len(self._expert)} demonstrated transitions, "
                f"but the state was saved with {state['expert']}"
            )
        self._own.restore(state["own"])
        restore_generator(self._rng, state)

    def _sample_expert(self, batches: int, count: int) -> dict[str, Nested]:
        numbers = self._rng.integers(0, self._expert.num_written, size=(batches, count))
        return self._encoded(self._expert.gather(numbers, self.discount, self._rewards)) | {
            "demonstration": np.ones((batches, count), bool),
            "weights": np.ones((batches, count), np.float32),
        }

    def _rewards(self, raw: np.ndarray) -> np.ndarray:
        """Return raw rewards, of any shape, as the environment returns them."""
        if self._env is None:
            return raw
        return self._env.encode_rewards(raw.ravel()).reshape(raw.shape)

    def _encoded(self, batch: dict[str, Nested]) -> dict[str, Nested]:
        """Return raw observations and actions, [K, B, …], as the environment returns them."""
        if self._env is None:
            return batch
        observe, act = self._env.encode_observations, self._env.encode_actions
        return batch | {
            "state": _on_rows(observe, batch["state"]),
            "next_state": _on_rows(observe, batch["next_state"]),
            "action": _on_rows(act, batch["action"]),
        }


def _on_rows(function: Callable[[Nested], Nested], values: Nested) -> Nested:
    """Apply a function of rows [N, …] to values [K, B, …], which may be by name."""
    parts = dict(flatten({"": values}))
    shape = next(iter(parts.values())).shape[:2]
    rows = nest({name: part.reshape(-1, *part.shape[2:]) for name, part in parts.items()})
    results = flatten({"": function(rows[""])})
    return nest({name: part.reshape(*shape, *part.shape[1:]) for name, part in results})[""]
