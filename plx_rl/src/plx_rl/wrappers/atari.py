"""What is customary in Atari games."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np
from attrs import frozen

from plx_core.annotations import PositiveInt

NOOP, FIRE = 0, 1


@final
@frozen
class FrameSkip:
    """Repeats each action, and shows the brighter of the last two frames, since some objects are drawn in every other frame only.

    Args:
        frames: how often an action is taken.

    Source: Mnih et al. 2015, "Methods: Preprocessing".
    """

    frames: PositiveInt = 4

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with repeated actions."""
        return _FrameSkip(env, self.frames)


class _FrameSkip(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gymnasium.Env[Any, Any], frames: int) -> None:
        super().__init__(env)
        self._frames = frames

    def step(self, action: Any) -> Any:
        total = 0.0
        before: Any = None
        observation: Any = None
        for _ in range(self._frames):
            before = observation
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        brighter = observation if before is None else np.maximum(before, observation)
        return brighter, total, terminated, truncated, info


@final
@frozen
class NoopReset:
    """Begins an episode with a random number of actions that do nothing.

    Args:
        max_noops: at most so many.

    Source: Mnih et al. 2015, "Methods: Evaluation procedure".
    """

    max_noops: PositiveInt = 30

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with random beginnings."""
        return _NoopReset(env, self.max_noops)


class _NoopReset(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gymnasium.Env[Any, Any], max_noops: int) -> None:
        super().__init__(env)
        self._max_noops = max_noops

    def reset(self, **options: Any) -> Any:
        answer = self.env.reset(**options)
        for _ in range(int(self.unwrapped.np_random.integers(1, self._max_noops + 1))):
            observation, _, terminated, truncated, info = self.env.step(NOOP)
            answer = observation, info
            if terminated or truncated:
                answer = self.env.reset()
        return answer


@final
@frozen
class FireReset:
    """Begins an episode by firing, in games that wait for it."""

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment, begun."""
        return _FireReset(env)


class _FireReset(gymnasium.Wrapper[Any, Any, Any, Any]):
    def reset(self, **options: Any) -> Any:
        self.env.reset(**options)
        observation, _, terminated, truncated, info = self.env.step(FIRE)
        return self.env.reset() if terminated or truncated else (observation, info)


@final
@frozen
class EpisodicLife:
    """Says that an episode is over when a life is lost, without beginning the game anew: for learning only, not for evaluation.

    Source: Mnih et al. 2015, "Methods: Training details".
    """

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with short lives."""
        return _EpisodicLife(env)


class _EpisodicLife(gymnasium.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._lives = 0
        self._is_over = True

    def step(self, action: Any) -> Any:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._is_over = terminated or truncated
        lives = int(info["lives"])
        lost = 0 < lives < self._lives
        self._lives = lives
        return observation, reward, terminated or lost, truncated, info

    def reset(self, **options: Any) -> Any:
        if self._is_over or options.get("seed") is not None:
            observation, info = self.env.reset(**options)
        else:
            observation, _, terminated, truncated, info = self.env.step(NOOP)
            if terminated or truncated:
                observation, info = self.env.reset(**options)
        self._lives = int(info["lives"])
        self._is_over = False
        return observation, info
