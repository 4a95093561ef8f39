"""Stacks of the most recent observations, which show movement."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from attrs import frozen
from gymnasium import spaces

from plx_core.annotations import PositiveInt
from plx_core.types import Space
from plx_rl.types import Env, Observation, ResetResult
from plx_rl.wrappers.observation import PartWrapper


@final
@frozen
class FrameStack:
    """Concatenate the most recent observations along their last axis, the newest last.

    At the start of an episode the first observation is repeated. A memory with the same number of
    `frames` stores each frame once.

    Args:
        frames: how many observations are concatenated.
    """

    frames: PositiveInt = 4

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _FrameStack(env, self.frames)


class _FrameStack(PartWrapper):
    def __init__(self, env: Env, frames: int) -> None:
        self._frames = frames
        self._recent: dict[str, list[np.ndarray]] = {}
        super().__init__(env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        self._recent = {}
        return super().reset(seed=seed, options=options)

    def applies(self, space: Space) -> bool:
        return isinstance(space, spaces.Box) and len(space.shape) >= 1

    def space_of(self, space: Space) -> Space:
        low, high = (
            np.concatenate([bound] * self._frames, axis=-1) for bound in (space.low, space.high)
        )
        return spaces.Box(low, high, dtype=space.dtype)

    def change(self, value: Observation, name: str) -> Observation:
        if name in self._recent:
            self._recent[name] = [*self._recent[name][1:], value]
        else:
            # Copies, because a state is restored into these arrays in place.
            self._recent[name] = [np.copy(value) for _ in range(self._frames)]
        return np.concatenate(self._recent[name], axis=-1)
