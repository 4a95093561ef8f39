"""The memory of an agent that also learns from an expert: each batch has its share of demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np

import plx_core as plx
from plx_core import STATE, features_of, make
from plx_core.annotations import Fraction, MemoryLike, PositiveInt
from plx_core.errors import DataError
from plx_rl.memories.demonstrations import in_order, load
from plx_rl.memories.ring import SEPARATOR, flatten, nest
from plx_rl.memories.transitions import Transitions
from plx_rl.randomness import generator_state, restore_generator


@final
class DemonstrationMemory(plx.Memory):
    """Keeps an expert's transitions for ever beside the agent's own, and draws a fixed share of each batch from them.

    A sample says in `demonstration`, bool, which transitions are the expert's. While the agent has too few of its own, all are.

    Source: demonstrations that are never overwritten: Hester et al. 2018, "Deep Q-learning from Demonstrations"; a fixed share of
    each batch in place of its bonus on priorities: Paine et al. 2020, "Making Efficient Use of Demonstrations", section 3 (R2D3).

    Args:
        demonstrations: an `.npz` file, as `plx record` writes it, or `minari:ID`.
        share: how much of a batch is the expert's.
        batch_size: how many transitions make a batch.
        memory: keeps the agent's own; its `batch_size` is set to what the expert leaves of a batch.
        n_step: over how many steps of an episode a sampled transition of the expert reaches; let it be the other memory's, too.
        discount: γ of the rewards that `n_step` adds up; the model's when left out.
        seed: of the draws.
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
        columns = load(demonstrations)
        self.batch_size = batch_size
        self._count = round(share * batch_size)
        if not 0 < self._count < batch_size:
            raise ValueError(
                f"a share of {share} leaves {self._count} of a batch of {batch_size} to the expert; it has to have some, not all"
            )
        self._own: plx.Memory = make("memories", memory, seed=seed)
        self._own.batch_size = batch_size - self._count
        self._expert = Transitions(len(columns["reward"]), n_step)
        if n_step == 1:
            self._expert.add(nest(columns))
        else:
            for one in in_order(columns):
                self._expert.add(one)
        self._shapes = {name: column.shape[1:] for name, column in columns.items()}
        self.seed = seed
        self._rng = np.random.default_rng(None if seed is None else [seed, 1])
        self.size = self._own.size
        self.discount = discount

    @property
    def discount(self) -> float | None:
        """γ of the rewards that several steps add up."""
        return self._discount

    @discount.setter
    def discount(self, value: float | None) -> None:
        self._discount = value
        if self._own.discount is None:
            self._own.discount = value

    def __len__(self) -> int:
        return len(self._own)

    def check_spaces(self, observation_space: Any, action_space: Any) -> None:
        """Refuse an environment in which the expert cannot have been.

        Raises:
            DataError: it is one.
        """
        seen = {
            name: tuple(spec.shape[1:]) for name, spec in features_of(observation_space).items()
        }
        expected = {"action": action_space.shape}
        expected |= (
            seen
            if set(seen) == {STATE}
            else {f"{STATE}{SEPARATOR}{name}": shape for name, shape in seen.items()}
        )
        differing = sorted(
            name for name, shape in expected.items() if self._shapes.get(name) != shape
        )
        if differing:
            theirs, ours = (
                {name: shapes.get(name) for name in differing}
                for shapes in (self._shapes, expected)
            )
            raise DataError(
                f"the demonstrations are of another environment: their shapes are {theirs}, and this one's are {ours}"
            )

    def step(self, **transition: Any) -> None:
        """Add one transition of the agent's for each of N environments; see `Transitions.add`."""
        self._own.step(**transition)

    def can_sample(self, count: int | None = None) -> bool:
        """Always for a batch: the expert's transitions are there; or whether there are `count` of the agent's own."""
        return count is None or self._own.can_sample(count)

    def sample(self, batches: int = 1) -> Mapping[str, Any]:
        """Draw `batches` batches at once: arrays [batches, batch_size, ...] by name, the agent's own transitions first."""
        if not self._own.can_sample():
            return self._expert_batch(batches, self.batch_size)
        own = dict(flatten(self._own.sample(batches)))
        indices = own.pop("indices", None)
        expert = dict(flatten(self._expert_batch(batches, self._count)))
        own["demonstration"] = np.zeros(own["reward"].shape, bool)
        own.setdefault("weights", np.ones(own["reward"].shape, np.float32))
        batch = nest(
            {
                name: np.concatenate([column, expert[name].astype(column.dtype)], axis=1)
                for name, column in own.items()
            }
        )
        return batch if indices is None else batch | {"indices": indices}

    def update_priorities(self, indices: np.ndarray, errors: np.ndarray) -> None:
        """Say with what error the agent's own transitions were learnt."""
        self._own.update_priorities(indices, errors[:, : indices.shape[1]])

    def get_by_index(self, index: int) -> Mapping[str, Any]:
        """One transition of the agent's own: 0 is the oldest, -1 the newest."""
        return self._own.get_by_index(index)

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before."""
        self._own.interrupt()

    def clear(self) -> None:
        """Forget the agent's own transitions."""
        self._own.clear()

    def reseed(self, seed: int) -> None:
        """Draw from this seed on, and let the other memory do so, too, where it has none."""
        self._rng = np.random.default_rng([seed, 1])
        if self._own.seed is None:
            self._own.reseed(seed)

    def state(self) -> plx.State:
        """The agent's own transitions and the generator; the expert's are in their file."""
        return {"own": self._own.state(), "expert": len(self._expert)} | generator_state(self._rng)

    def restore(self, state: plx.State) -> None:
        """Go on from a state, of a memory with the same parameters.

        Raises:
            DataError: there were other demonstrations.
        """
        if state["expert"] != len(self._expert):
            raise DataError(
                f"there are {len(self._expert)} demonstrated transitions, and there were {state['expert']} when the state was taken"
            )
        self._own.restore(state["own"])
        restore_generator(self._rng, state)

    def _expert_batch(self, batches: int, count: int) -> dict[str, Any]:
        numbers = self._rng.integers(0, self._expert.written, size=(batches, count))
        ones = np.ones((batches, count))
        return self._expert.gather(numbers, self.discount) | {
            "demonstration": ones.astype(bool),
            "weights": ones.astype(np.float32),
        }
