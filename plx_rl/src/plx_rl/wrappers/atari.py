"""The usual wrappers of Atari games."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_rl.types import Action, Env, ResetResult, StepResult, Wrapper

NOOP, FIRE = 0, 1


@final
@frozen
class FrameSkip:
    """Repeat each action, sum the rewards, and return the maximum of the last two frames.

    The maximum is there because some games draw an object only in every other frame.

    Args:
        frames: how many times each action is taken.

    Source: Mnih et al. 2015, "Methods: Preprocessing".
    """

    frames: PositiveInt = 4

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _FrameSkip(env, self.frames)


class _FrameSkip(Wrapper):
    def __init__(self, env: Env, frames: int) -> None:
        super().__init__(env)
        self._frames = frames

    def step(self, action: Action) -> StepResult:
        total = 0.0
        previous: Any = None
        observation: Any = None
        for _ in range(self._frames):
            previous = observation
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            if terminated or truncated:
                break
        brightest = observation if previous is None else np.maximum(previous, observation)
        return brightest, total, terminated, truncated, info


@final
@frozen
class NoopReset:
    """Start each episode with a random number of no-op actions.

    Args:
        max_noops: the largest number of no-ops; the smallest is 1.

    Source: Mnih et al. 2015, "Methods: Evaluation procedure".
    """

    max_noops: PositiveInt = 30

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _NoopReset(env, self.max_noops)


class _NoopReset(Wrapper):
    def __init__(self, env: Env, max_noops: int) -> None:
        super().__init__(env)
        self._max_noops = max_noops

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        observation, info = self.env.reset(seed=seed, options=options)
        for _ in range(int(self.unwrapped.np_random.integers(1, self._max_noops + 1))):
            observation, _, terminated, truncated, info = self.env.step(NOOP)
            if terminated or truncated:
                observation, info = self.env.reset()
        return observation, info


@final
@frozen
class FireReset:
    """Start each episode with the fire action, for games that wait for it."""

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _FireReset(env)


class _FireReset(Wrapper):
    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        self.env.reset(seed=seed, options=options)
        observation, _, terminated, truncated, info = self.env.step(FIRE)
        return self.env.reset() if terminated or truncated else (observation, info)


@final
@frozen
class EpisodicLife:
    """End an episode when a life is lost, and continue the same game in the next episode.

    For training only: in evaluation an episode should be a whole game.

    Source: Mnih et al. 2015, "Methods: Training details".
    """

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return _EpisodicLife(env)


class _EpisodicLife(Wrapper):
    def __init__(self, env: Env) -> None:
        super().__init__(env)
        self._lives = 0
        self._is_over = True

    def step(self, action: Action) -> StepResult:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._is_over = terminated or truncated
        lives = int(info["lives"])
        has_lost_life = 0 < lives < self._lives
        self._lives = lives
        return observation, reward, terminated or has_lost_life, truncated, info

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        needs_new_game = self._is_over or seed is not None
        if not needs_new_game:
            observation, _, terminated, truncated, info = self.env.step(NOOP)
            needs_new_game = terminated or truncated
        if needs_new_game:
            observation, info = self.env.reset(seed=seed, options=options)
        self._lives = int(info["lives"])
        self._is_over = False
        return observation, info
