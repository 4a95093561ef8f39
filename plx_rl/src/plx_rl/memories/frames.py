"""Stacked observations without duplicate frames: a stack is stored as the numbers of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from plx_core import State
from plx_core.errors import DataError
from plx_rl.memories.ring import Ring


class FrameStacks:
    """The stacked observations of transitions, with each frame stored once.

    An observation [..., C · frames] has its newest frame last. Usually only the newest frame of the
    next observation is stored; the others are those of earlier transitions of the same episode. If
    these are missing, as at the start of an episode, all frames are stored; one if all are equal.

    Args:
        size: how many transitions are stored.
        frames: how many frames an observation stacks.
        folder: the folder of the frames' `.npy` files; None to store them in memory.
        is_whole: always hold `size` transitions, however short episodes are.
    """

    def __init__(
        self, size: int, frames: int, folder: Path | None = None, *, is_whole: bool = False
    ) -> None:
        self.frames = frames
        # Extra space for the first frames of episodes. If episodes are too short for it, the oldest
        # transitions are removed earlier: see `first_complete`.
        extra = size * frames if is_whole else max(size // 8, 64)
        self._ring = Ring(size + extra, folder)
        self._stacks: dict[int, np.ndarray] = {}
        self._log = Ring(size)
        self._first_complete = 0

    def add(
        self,
        states: Mapping[str, np.ndarray],
        next_states: Mapping[str, np.ndarray],
        envs: np.ndarray,
        ended: np.ndarray,
    ) -> np.ndarray:
        """Store the frames of one transition for each environment.

        Returns:
            The numbers of the frames of each transition, oldest first, int [N, frames + 1]: all but
            the last belong to its state, all but the first to its next state.

        Raises:
            DataError: the observations are not stacks, or a next state does not shift its state by
                one frame.
        """
        for name, stack in states.items():
            self._check(name, stack, next_states[name])
        starting = [row for row, env in enumerate(envs.tolist()) if env not in self._stacks]
        if starting:
            self._start(states, envs, starting)
        newest = {name: self._newest(stack) for name, stack in next_states.items()}
        numbers = self._ring.num_written + np.arange(len(envs))
        self._ring.write(newest, len(envs))
        stacks = np.stack([self._stacks[env] for env in envs.tolist()])
        rows = np.concatenate([stacks, numbers[:, None]], axis=1)
        # A lower bound of the frames of a row. It never decreases, because the oldest frame of each
        # environment only gets newer.
        oldest_frame = min(stack[0] for stack in self._stacks.values())
        self._log.write({"oldest_frame": np.full(len(envs), oldest_frame)}, len(envs))
        for row, (env, has_ended) in enumerate(zip(envs.tolist(), ended.tolist(), strict=True)):
            if has_ended:
                del self._stacks[env]
            else:
                self._stacks[env] = rows[row, 1:]
        return rows

    def interrupt(self) -> None:
        """Start a new episode with the next transition of every environment."""
        self._stacks.clear()

    def first_complete(self) -> int:
        """Return the number of the oldest transition from which on all frames are stored."""
        self._first_complete = max(self._first_complete, self._log.first)
        while (
            self._first_complete < self._log.num_written
            and self._oldest_frame(self._first_complete) < self._ring.first
        ):
            self._first_complete += 1
        return self._first_complete

    def take(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """Return stacks [B, ..., C · frames] of the frames with these numbers, int [B, frames]."""
        frames = np.moveaxis(self._ring.take(name, numbers % self._ring.size), 1, -2)
        return frames.reshape(*frames.shape[:-2], -1)

    @property
    def names(self) -> list[str]:
        """The names of the observations."""
        return list(self._ring.columns)

    def clear(self) -> None:
        """Remove all frames."""
        self._ring.clear()
        self._log.clear()
        self._stacks.clear()
        self._first_complete = 0

    def state(self) -> State:
        """Return the frames, and the stack of each current episode."""
        return {
            "ring": self._ring.state(),
            "log": self._log.state(),
            "stacks": {str(env): stack for env, stack in self._stacks.items()},
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self._ring.restore(state["ring"])
        self._log.restore(state["log"])
        self._stacks = {int(env): np.asarray(stack) for env, stack in state["stacks"].items()}
        self._first_complete = 0

    def _oldest_frame(self, transition: int) -> int:
        return int(self._log.columns["oldest_frame"][transition % self._log.size])

    def _start(self, states: Mapping[str, np.ndarray], envs: np.ndarray, rows: list[int]) -> None:
        for row in rows:
            frames = {name: self._split(stack[row]) for name, stack in states.items()}
            first = self._ring.num_written
            if all((part == part[-1]).all() for part in frames.values()):
                self._ring.write({name: part[-1:] for name, part in frames.items()}, 1)
                self._stacks[int(envs[row])] = np.full(self.frames, first)
            else:
                self._ring.write(frames, self.frames)
                self._stacks[int(envs[row])] = np.arange(first, first + self.frames)

    def _split(self, observation: np.ndarray) -> np.ndarray:
        """Split an observation [..., C · frames] into frames [frames, ..., C]."""
        return np.moveaxis(observation.reshape(*observation.shape[:-1], self.frames, -1), -2, 0)

    def _newest(self, stack: np.ndarray) -> np.ndarray:
        return stack[..., -(stack.shape[-1] // self.frames) :]

    def _check(self, name: str, stack: np.ndarray, next_stack: np.ndarray) -> None:
        if stack.shape[-1] % self.frames:
            raise DataError(
                f"state{name} has shape {stack.shape}; the last axis is not a multiple of the "
                f"{self.frames} frames of this memory"
            )
        channels = stack.shape[-1] // self.frames
        if not np.array_equal(stack[..., channels:], next_stack[..., :-channels]):
            raise DataError(
                f"state{name} is not a stack of {self.frames} frames along its last axis: "
                "the next observation is not shifted by one frame"
            )
