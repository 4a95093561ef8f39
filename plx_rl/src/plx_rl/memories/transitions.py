"""A ring of transitions, with n-step returns and stacked frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from plx_core import State
from plx_core.errors import DataError
from plx_core.types import Nested
from plx_rl.memories.frames import FrameStacks
from plx_rl.memories.ring import SEPARATOR, Ring, flatten, nest

REQUIRED = ("action", "reward", "terminated", "truncated")
FRAMES = "frames"
ENVS = "env"


class Transitions:
    """The newest `size` transitions of N environments; each has a number that never changes.

    Args:
        size: how many transitions are stored.
        n_step: how many steps of an episode a gathered transition spans.
        frames: how many frames each observation stacks along its last axis; each frame is stored
            once.
        folder: the folder of the arrays' `.npy` files; None to store them in memory.
        is_whole: always hold `size` transitions, however many frames short episodes take.
    """

    def __init__(
        self,
        size: int,
        n_step: int = 1,
        frames: int = 1,
        folder: Path | None = None,
        *,
        is_whole: bool = False,
    ) -> None:
        self.size = size
        self.n_step = n_step
        self._ring = Ring(size, folder)
        self._stacks = FrameStacks(size, frames, folder, is_whole=is_whole) if frames > 1 else None
        # The number of the next transition of the same episode, by index; -1 if there is none.
        self._successors = np.full(size if n_step > 1 else 0, -1)
        # The number of the latest transition of the current episode, by environment.
        self._latest = np.full(0, -1)
        self._is_flat = False  # whether transitions can be written without flattening them

    @property
    def num_written(self) -> int:
        """The number of transitions added so far, which is the number of the next one."""
        return self._ring.num_written

    @property
    def first(self) -> int:
        """The number of the oldest transition."""
        return self._ring.first if self._stacks is None else self._stacks.first_complete()

    def __len__(self) -> int:
        return self.num_written - self.first

    def add(self, transition: Mapping[str, Nested]) -> None:
        """Add one transition for each of N environments.

        Args:
            transition: arrays with a leading axis of N: `state` and `next_state` (arrays, or
                mappings of arrays), `action`, `reward`, `terminated`, `truncated`, and any others.
                `env` has the indices of the environments; 0 to N - 1 by default.

        Raises:
            DataError: a required array is missing, or an array does not match earlier ones.
        """
        if self._is_flat and len(transition) == len(self._ring.columns):
            self._ring.write(transition, len(transition["reward"]))
            return
        columns = dict(flatten(transition))
        if not all(name in columns for name in REQUIRED):
            raise DataError(
                f"a transition must have state, next_state, {', '.join(REQUIRED)}; "
                f"got {sorted(columns)}"
            )
        envs = columns.pop(ENVS, None)
        count = len(columns["reward"])
        if self._stacks is None and self.n_step == 1:
            self._ring.write(columns, count)
            self._is_flat = columns.keys() == transition.keys()
            return
        envs = np.arange(count) if envs is None else envs
        ended = columns["terminated"] | columns["truncated"]
        if self._stacks is not None:
            columns = self._store_frames(self._stacks, columns, envs, ended)
        numbers = self.num_written + np.arange(count)
        self._ring.write(columns, count)
        if self.n_step > 1:
            self._link(numbers, envs, ended)

    def gather(
        self,
        numbers: np.ndarray,
        discount: float | None = None,
        rewards: Callable[[np.ndarray], np.ndarray] = np.asarray,
    ) -> dict[str, Nested]:
        """Return the transitions with these numbers, int [...]: arrays [..., ...], nested as added.

        With `n_step` above 1, `reward` is the discounted sum of `steps` rewards: up to `n_step`, or
        until the episode ended or the newest transition was reached. `next_state`, `terminated` and
        `truncated` are those of the last of these steps. `rewards` converts each reward first.
        """
        indices = numbers % self.size
        last = indices
        columns: dict[str, np.ndarray] = {}
        if self.n_step > 1:
            columns["reward"], columns["steps"], last = self._accumulate(indices, discount, rewards)
        for name in self._ring.columns:
            if name != FRAMES and name not in columns:
                columns[name] = self._ring.take(name, last if _is_about_the_end(name) else indices)
        if self.n_step == 1:
            columns["reward"] = rewards(columns["reward"])
        if self._stacks is not None:
            for name in self._stacks.names:
                columns[f"state{name}"] = self._take_stacks(
                    self._stacks, name, indices, slice(None, -1)
                )
                columns[f"next_state{name}"] = self._take_stacks(
                    self._stacks, name, last, slice(1, None)
                )
        return nest(columns)

    def interrupt(self) -> None:
        """End the current episodes: the environments were reset without a step that ended them."""
        self._latest.fill(-1)
        if self._stacks is not None:
            self._stacks.interrupt()

    def truncate(self, count: int) -> None:
        """Mark the newest `count` transitions as truncated, except those that are terminated."""
        begin = max(self._ring.first, self.num_written - count)
        indices = np.arange(begin, self.num_written) % self.size
        if len(indices):
            columns = self._ring.columns
            columns["truncated"][indices] |= ~columns["terminated"][indices]

    def clear(self) -> None:
        """Remove all transitions."""
        self._ring.clear()
        self._successors.fill(-1)
        self._latest.fill(-1)
        if self._stacks is not None:
            self._stacks.clear()

    def state(self) -> dict[str, Nested]:
        """Return all that `restore` needs."""
        state = {
            "ring": self._ring.state(),
            "following": self._successors.copy(),
            "last": self._latest.copy(),
        }
        return state if self._stacks is None else state | {"stacks": self._stacks.state()}

    def restore(self, state: State) -> None:
        """Continue from a state.

        Raises:
            DataError: the state is from a memory with another size, `n_step` or `frames`.
        """
        has_stacks = self._stacks is not None
        if len(state["following"]) != len(self._successors) or ("stacks" in state) != has_stacks:
            raise DataError("the state is from a memory with another size, n_step or frames")
        self._ring.restore(state["ring"])
        self._successors = np.array(state["following"])
        self._latest = np.array(state["last"])
        if self._stacks is not None:
            self._stacks.restore(state["stacks"])

    def _store_frames(
        self,
        stacks: FrameStacks,
        columns: dict[str, np.ndarray],
        envs: np.ndarray,
        ended: np.ndarray,
    ) -> dict[str, np.ndarray]:
        """Store the observations among columns as frames, and replace them by frame numbers."""
        states = _pop_group(columns, "state")
        next_states = _pop_group(columns, "next_state")
        if not states or states.keys() != next_states.keys():
            raise DataError(
                "state and next_state must have the same parts; "
                f"got {sorted(states)} and {sorted(next_states)}"
            )
        return columns | {FRAMES: stacks.add(states, next_states, envs, ended)}

    def _take_stacks(
        self, stacks: FrameStacks, name: str, indices: np.ndarray, frames: slice
    ) -> np.ndarray:
        numbers = self._ring.take(FRAMES, indices)[..., frames]
        observations = stacks.take(name, numbers.reshape(-1, numbers.shape[-1]))
        return observations.reshape(*indices.shape, *observations.shape[1:])

    def _link(self, numbers: np.ndarray, envs: np.ndarray, ended: np.ndarray) -> None:
        """Make the new transitions the successors of the latest ones of their environments."""
        num_missing = int(envs.max()) + 1 - len(self._latest)
        if num_missing > 0:
            self._latest = np.concatenate([self._latest, np.full(num_missing, -1)])
        self._successors[numbers % self.size] = -1
        previous = self._latest[envs]
        is_stored = previous >= self._ring.first
        self._successors[previous[is_stored] % self.size] = numbers[is_stored]
        self._latest[envs] = np.where(ended, -1, numbers)

    def _accumulate(
        self,
        indices: np.ndarray,
        discount: float | None,
        convert: Callable[[np.ndarray], np.ndarray],
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return n-step rewards, their numbers of steps, and the indices of their last steps."""
        if discount is None:
            raise DataError(
                "a memory with n_step above 1 needs a discount; an agent sets its model's"
            )
        rewards = convert(self._ring.take("reward", indices))
        steps = np.ones(indices.shape, np.int32)
        last, continues = indices, np.ones(indices.shape, bool)
        for step in range(1, self.n_step):
            successors = self._successors[last]
            continues = continues & (successors >= 0)
            last = np.where(continues, successors % self.size, last)
            discounted = np.float32(discount**step) * convert(self._ring.take("reward", last))
            rewards = rewards + np.where(continues, discounted, np.float32(0.0))
            steps += continues
        return rewards, steps, last


def _is_about_the_end(name: str) -> bool:
    return name.startswith("next_") or name in ("terminated", "truncated")


def _pop_group(columns: dict[str, np.ndarray], group: str) -> dict[str, np.ndarray]:
    """Remove the columns of an observation, and return them by the rest of their names."""
    names = [name for name in columns if name == group or name.startswith(group + SEPARATOR)]
    return {name.removeprefix(group): columns.pop(name) for name in names}
