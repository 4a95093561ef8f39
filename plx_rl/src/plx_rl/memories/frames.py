"""Stacked frames, each kept once: a stack is a list of the numbers of its frames."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_rl.memories.ring import Ring

Observations: TypeAlias = Mapping[str, np.ndarray]


class FrameStacks:
    """The stacked observations of transitions, without the copies of a frame that a stack shares with its neighbours.

    An observation [..., C · frames] holds the newest frame last. Of a transition this keeps the newest frame of the
    observation that followed; its other frames are those of earlier transitions of the same episode. Where these are not kept, as
    at an episode's beginning, all frames of an observation are, or one where they are alike.

    Args:
        size: how many transitions are kept.
        frames: how many frames make an observation.
        folder: where the frames are kept as `.npy` files; in memory when None.
        is_whole: whether no transition may go before `size` of them are kept, however short episodes are.
    """

    def __init__(
        self, size: int, frames: int, folder: Path | None = None, *, is_whole: bool = False
    ) -> None:
        self.frames = frames
        # An episode's first frames take places too, hence the room to spare. Where episodes are so short that it does
        # not suffice, the oldest transitions go earlier: see `complete_from`.
        self._ring = Ring(size + (size * frames if is_whole else max(size // 8, 64)), folder)
        self._stacks: dict[int, np.ndarray] = {}
        self._log = Ring(size)
        self._complete_from = 0

    def add(
        self,
        states: Mapping[str, np.ndarray],
        next_states: Mapping[str, np.ndarray],
        envs: np.ndarray,
        ended: np.ndarray,
    ) -> np.ndarray:
        """Keep the frames of one transition for each environment.

        Returns:
            The numbers of the frames of each transition, oldest first: those of its state are all but the last, those of
            its next state all but the first; int [N, frames + 1].

        Raises:
            DataError: the observations are not stacks in which each next state moves its state on by one frame.
        """
        for name, stack in states.items():
            self._check(name, stack, next_states[name])
        starting = [row for row, env in enumerate(envs.tolist()) if env not in self._stacks]
        if starting:
            self._begin(states, envs, starting)
        newest = {name: self._newest(stack) for name, stack in next_states.items()}
        numbers = self._ring.written + np.arange(len(envs))
        self._ring.write(newest, len(envs))
        rows = np.concatenate(
            [np.stack([self._stacks[env] for env in envs.tolist()]), numbers[:, None]], axis=1
        )
        # Every environment's oldest frame only ever gets newer, so this lower bound of a row's frames never falls.
        self._log.write(
            {"oldest_frame": np.full(len(envs), min(stack[0] for stack in self._stacks.values()))},
            len(envs),
        )
        for row, (env, over) in enumerate(zip(envs.tolist(), ended.tolist(), strict=True)):
            if over:
                del self._stacks[env]
            else:
                self._stacks[env] = rows[row, 1:]
        return rows

    def interrupt(self) -> None:
        """What comes next begins an episode, in every environment."""
        self._stacks.clear()

    def complete_from(self) -> int:
        """The number of the oldest transition whose frames, and those of all after it, are still kept."""
        self._complete_from = max(self._complete_from, self._log.first)
        while (
            self._complete_from < self._log.written
            and self._oldest_frame(self._complete_from) < self._ring.first
        ):
            self._complete_from += 1
        return self._complete_from

    def take(self, name: str, numbers: np.ndarray) -> Any:
        """The stacked observations [B, ..., C · frames] of frames of these numbers, int [B, frames]."""
        frames = np.moveaxis(self._ring.take(name, numbers % self._ring.size), 1, -2)
        return frames.reshape(*frames.shape[:-2], -1)

    @property
    def names(self) -> list[str]:
        """The observations that are kept here."""
        return list(self._ring.columns)

    def clear(self) -> None:
        """Forget everything."""
        self._ring.clear()
        self._log.clear()
        self._stacks.clear()
        self._complete_from = 0

    def state(self) -> dict[str, Any]:
        """The frames, and the stack of each running episode."""
        return {
            "ring": self._ring.state(),
            "log": self._log.state(),
            "stacks": {str(env): stack for env, stack in self._stacks.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Keep the frames of a state."""
        self._ring.restore(state["ring"])
        self._log.restore(state["log"])
        self._stacks = {int(env): np.asarray(stack) for env, stack in state["stacks"].items()}
        self._complete_from = 0

    def _oldest_frame(self, transition: int) -> int:
        return int(self._log.columns["oldest_frame"][transition % self._log.size])

    def _begin(self, states: Mapping[str, np.ndarray], envs: np.ndarray, rows: list[int]) -> None:
        for row in rows:
            frames = {name: self._apart(stack[row]) for name, stack in states.items()}
            first = self._ring.written
            if all((part == part[-1]).all() for part in frames.values()):
                self._ring.write({name: part[-1:] for name, part in frames.items()}, 1)
                self._stacks[int(envs[row])] = np.full(self.frames, first)
            else:
                self._ring.write(frames, self.frames)
                self._stacks[int(envs[row])] = np.arange(first, first + self.frames)

    def _apart(self, observation: np.ndarray) -> np.ndarray:
        """An observation [..., C · frames] as frames [frames, ..., C]."""
        return np.moveaxis(observation.reshape(*observation.shape[:-1], self.frames, -1), -2, 0)

    def _newest(self, stack: np.ndarray) -> np.ndarray:
        return stack[..., -(stack.shape[-1] // self.frames) :]

    def _check(self, name: str, stack: np.ndarray, following: np.ndarray) -> None:
        if stack.shape[-1] % self.frames:
            raise DataError(
                f"a memory of {self.frames} stacked frames was given {name} of shape {stack.shape}, whose last axis they do not divide"
            )
        channels = stack.shape[-1] // self.frames
        if not np.array_equal(stack[..., channels:], following[..., :-channels]):
            raise DataError(
                f"{name} is not a stack of {self.frames} frames along its last axis: the next one does not move it on by one frame"
            )
