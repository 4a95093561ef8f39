"""The usual wrappers of Atari games."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_rl.types import CONTINUES, Action, Env, ResetResult, StepResult, Wrapper

NOOP, FIRE = 0, 1
MEANINGS = {NOOP: "NOOP", FIRE: "FIRE"}


@final
@frozen
class FrameSkip:
    """Repeat each action, sum the rewards, and return the maximum of the last two frames.

    The maximum is there because some games draw an object only in every other frame.

    Args:
        frames: how many times each action is taken. The environment must not repeat it too, as
            those of the namespace ALE do unless `env_params` has `frameskip: 1`.

    Raises:
        DataError: the environment repeats actions itself.

    Source: Mnih et al. 2015, "Methods: Preprocessing".
    """

    frames: PositiveInt = 4

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        spec = getattr(env, "spec", None)
        own = spec.kwargs.get("frameskip", 1) if spec is not None else 1
        if spec is not None and own != 1:
            raise DataError(
                f"FrameSkip repeats each action {self.frames} times, and {spec.id} itself {own} "
                "times; set env_params: {frameskip: 1}, or leave FrameSkip out"
            )
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
        _require_action(env, NOOP, "NoopReset")
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
    """Start each episode with the fire action, for games that wait for it.

    Raises:
        DataError: the game has no fire action, as `get_action_meanings` says.
    """

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        _require_action(env, FIRE, "FireReset")
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

    The learner sees the life's end; episodes are counted, reported and evaluated as whole games.

    Source: Mnih et al. 2015, "Methods: Training details".
    """

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        _require_action(env, NOOP, "EpisodicLife")
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
        if has_lost_life and not self._is_over:
            info = {**info, CONTINUES: True}
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


def _require_action(env: Env, action: int, wrapper: str) -> None:
    """Raise a `DataError` where an action does not mean what a wrapper takes it for."""
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    known = list(meanings()) if meanings is not None else None
    if known is None or len(known) <= action or known[action] != MEANINGS[action]:
        reason = "does not tell its actions" if known is None else f"has the actions {known}"
        raise DataError(
            f"{wrapper} takes action {action} for {MEANINGS[action]}, and {env.unwrapped} "
            f"{reason}: leave {wrapper} out, or give the environment a method get_action_meanings"
        )
