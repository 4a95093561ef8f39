"""Transitions in a ring: what all memories share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plx_core.errors import DataError
from plx_rl.memories.frames import FrameStacks
from plx_rl.memories.ring import SEPARATOR, Ring, flatten, nest

REQUIRED = ("action", "reward", "terminated", "truncated")
FRAMES = "frames"
ENVS = "env"


class Transitions:
    """The newest `size` transitions of a vector of environments; each is known by a number that never changes.

    Args:
        size: how many are kept.
        n_step: over how many steps of one episode a gathered transition reaches.
        frames: how many frames each observation stacks along its last axis; each is kept once.
        folder: where the arrays are kept as `.npy` files; in memory when None.
        is_whole: whether there have to be `size` of them, however many frames episodes of one step take.
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
        self._following = np.full(size if n_step > 1 else 0, -1)
        self._last = np.full(0, -1)
        self._is_plain = (
            False  # whether transitions are mappings of arrays that can be written as they come
        )

    @property
    def written(self) -> int:
        """How many transitions have been added: the number of the next one."""
        return self._ring.written

    @property
    def first(self) -> int:
        """The number of the oldest transition."""
        return self._ring.first if self._stacks is None else self._stacks.complete_from()

    def __len__(self) -> int:
        return self.written - self.first

    def add(self, transition: Mapping[str, Any]) -> None:
        """Add one transition for each of N environments: arrays with a leading axis of N.

        Args:
            transition: `state` and `next_state` (an array, or a mapping of arrays), `action`, `reward`, `terminated`,
                `truncated`, and whatever else is to be kept. `env` says which environments these are; 0 to N - 1 when
                left out.

        Raises:
            DataError: one of these is missing, or does not fit those before.
        """
        if self._is_plain and len(transition) == len(self._ring.columns):
            self._ring.write(transition, len(transition["reward"]))
            return
        columns = dict(flatten(transition))
        if not all(name in columns for name in REQUIRED):
            raise DataError(
                f"a transition has a state, a next_state, {', '.join(REQUIRED)}; got {sorted(columns)}"
            )
        envs = columns.pop(ENVS, None)
        count = len(columns["reward"])
        if self._stacks is None and self.n_step == 1:
            self._ring.write(columns, count)
            self._is_plain = columns.keys() == transition.keys()
            return
        envs = np.arange(count) if envs is None else envs
        ended = columns["terminated"] | columns["truncated"]
        if self._stacks is not None:
            columns = self._keep_frames(self._stacks, columns, envs, ended)
        numbers = self.written + np.arange(count)
        self._ring.write(columns, count)
        if self.n_step > 1:
            self._link(numbers, envs, ended)

    def gather(self, numbers: np.ndarray, discount: float | None = None) -> dict[str, Any]:
        """The transitions of these numbers, int [...]: arrays [..., ...] by name, observations nested as they were added.

        With `n_step` above 1 a reward is the discounted sum over `steps` steps: as many as were taken, at most `n_step`,
        before the episode ended or the newest transition was reached. What followed is what followed the last of them.
        """
        places = numbers % self.size
        last = places
        gathered: dict[str, Any] = {}
        if self.n_step > 1:
            gathered["reward"], gathered["steps"], last = self._accumulate(places, discount)
        for name in self._ring.columns:
            if name != FRAMES and name not in gathered:
                gathered[name] = self._ring.take(name, last if _is_about_the_end(name) else places)
        if self._stacks is not None:
            for name in self._stacks.names:
                gathered[f"state{name}"] = self._stacked(name, places, slice(None, -1))
                gathered[f"next_state{name}"] = self._stacked(name, last, slice(1, None))
        return nest(gathered)

    def interrupt(self) -> None:
        """The environments were reset amid an episode: what comes next does not follow what came before."""
        self._last.fill(-1)
        if self._stacks is not None:
            self._stacks.interrupt()

    def truncate(self, count: int) -> None:
        """Mark the newest `count` transitions as the last of episodes that were cut short, unless they are the last already."""
        places = np.arange(max(self._ring.first, self.written - count), self.written) % self.size
        if len(places):
            columns = self._ring.columns
            columns["truncated"][places] |= ~columns["terminated"][places]

    def clear(self) -> None:
        """Forget everything."""
        self._ring.clear()
        self._following.fill(-1)
        self._last.fill(-1)
        if self._stacks is not None:
            self._stacks.clear()

    def state(self) -> dict[str, Any]:
        """All that `restore` needs."""
        stacks = {} if self._stacks is None else {"stacks": self._stacks.state()}
        return {
            "ring": self._ring.state(),
            "following": self._following.copy(),
            "last": self._last.copy(),
        } | stacks

    def restore(self, state: Mapping[str, Any]) -> None:
        """Keep the transitions of a state.

        Raises:
            DataError: the state is that of a memory of another size, `n_step` or `frames`.
        """
        if len(state["following"]) != len(self._following) or ("stacks" in state) != (
            self._stacks is not None
        ):
            raise DataError("the state is that of a memory with another size, n_step or frames")
        self._ring.restore(state["ring"])
        self._following = np.array(state["following"])
        self._last = np.array(state["last"])
        if self._stacks is not None:
            self._stacks.restore(state["stacks"])

    def _keep_frames(
        self,
        stacks: FrameStacks,
        columns: dict[str, np.ndarray],
        envs: np.ndarray,
        ended: np.ndarray,
    ) -> dict[str, np.ndarray]:
        states = {
            name.removeprefix("state"): columns.pop(name)
            for name in list(columns)
            if _is_of(name, "state")
        }
        next_states = {
            name.removeprefix("next_state"): columns.pop(name)
            for name in list(columns)
            if _is_of(name, "next_state")
        }
        if not states or states.keys() != next_states.keys():
            raise DataError(
                f"a state of {sorted(states)} and a next_state of {sorted(next_states)} are not alike"
            )
        return columns | {FRAMES: stacks.add(states, next_states, envs, ended)}

    def _stacked(self, name: str, places: np.ndarray, which: slice) -> Any:
        numbers = self._ring.take(FRAMES, places)[..., which]
        stacks = (
            self._stacks.take(name, numbers.reshape(-1, numbers.shape[-1]))
            if self._stacks is not None
            else numbers
        )
        return stacks.reshape(*places.shape, *stacks.shape[1:])

    def _link(self, numbers: np.ndarray, envs: np.ndarray, ended: np.ndarray) -> None:
        if len(self._last) <= envs.max():
            self._last = np.concatenate(
                [self._last, np.full(int(envs.max()) + 1 - len(self._last), -1)]
            )
        self._following[numbers % self.size] = -1
        before = self._last[envs]
        kept = before >= self._ring.first
        self._following[before[kept] % self.size] = numbers[kept]
        self._last[envs] = np.where(ended, -1, numbers)

    def _accumulate(
        self, places: np.ndarray, discount: float | None
    ) -> tuple[Any, Any, np.ndarray]:
        if discount is None:
            raise DataError(
                "a memory with n_step above 1 needs a discount; an agent gives it its model's"
            )
        rewards = self._ring.take("reward", places)
        steps = np.ones(places.shape, np.int32)
        last, going = places, np.ones(places.shape, bool)
        for step in range(1, self.n_step):
            following = self._following[last]
            going = going & (following >= 0)
            last = np.where(going, following % self.size, last)
            rewards = rewards + np.where(
                going, np.float32(discount**step) * self._ring.take("reward", last), np.float32(0.0)
            )
            steps += going
        return rewards, steps, last


def _is_about_the_end(name: str) -> bool:
    return name.startswith("next_") or name in ("terminated", "truncated")


def _is_of(name: str, group: str) -> bool:
    return name == group or name.startswith(group + SEPARATOR)
