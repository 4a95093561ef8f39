"""The last few observations as one, so that movement can be seen."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np
from attrs import frozen
from gymnasium import spaces

from plx_core.annotations import PositiveInt
from plx_rl.wrappers.observation import PartWise


@final
@frozen
class FrameStack:
    """Joins the last observations along their last axis, the newest last; an episode begins with the first one repeated.

    A memory with the same number of `frames` keeps each of them once.

    Args:
        frames: how many are joined.
    """

    frames: PositiveInt = 4

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with stacked observations."""
        return _FrameStack(env, self.frames)


class _FrameStack(PartWise):
    def __init__(self, env: gymnasium.Env[Any, Any], frames: int) -> None:
        self._frames = frames
        self._recent: dict[str, list[Any]] = {}
        super().__init__(env)

    def reset(self, **options: Any) -> Any:
        self._recent = {}
        return super().reset(**options)

    def applies(self, space: Any) -> bool:
        return isinstance(space, spaces.Box) and len(space.shape) >= 1

    def space_of(self, space: Any) -> Any:
        low, high = (
            np.concatenate([bound] * self._frames, axis=-1) for bound in (space.low, space.high)
        )
        return spaces.Box(low, high, dtype=space.dtype)

    def change(self, value: Any, name: str) -> Any:
        earlier = self._recent.get(name, [value] * self._frames)
        self._recent[name] = [*earlier[1:], value]
        return np.concatenate(self._recent[name], axis=-1)
