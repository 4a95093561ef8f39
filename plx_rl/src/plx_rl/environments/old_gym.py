"""Adapt environments of the old library gym, up to its last version 0.26, to gymnasium."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import gymnasium
import numpy as np
from gymnasium import spaces

from plx_core.errors import DataError
from plx_core.types import Space
from plx_rl.types import Action, Observation, ResetResult, StepResult

GymEnv: TypeAlias = Any
"""An environment of gym, which need not be installed."""


@final
class OldGym(gymnasium.Env[Any, Any]):
    """An environment of gym; `step` may return one flag `done`, and `reset` may return no info.

    Args:
        env: the environment.
    """

    def __init__(self, env: GymEnv) -> None:
        self._old = env
        self.observation_space = convert_space(env.observation_space)
        self.action_space = convert_space(env.action_space)
        self.render_mode = getattr(env, "render_mode", None)
        self.metadata = dict(getattr(env, "metadata", {}))

    def __str__(self) -> str:
        return str(self._old)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> ResetResult:
        """Start an episode."""
        super().reset(seed=seed)
        try:
            result = self._old.reset(seed=seed)
        except TypeError:  # before gym 0.22 an environment had a method `seed`
            if seed is not None:
                self._old.seed(seed)
            result = self._old.reset()
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict):
            return result
        return result, {}

    def step(self, action: Action) -> StepResult:
        """Take an action."""
        result = self._old.step(action)
        if len(result) == 5:
            observation, reward, terminated, truncated, info = result
            return observation, reward, terminated, truncated, info
        observation, reward, done, info = result
        truncated = bool(done) and bool(info.get("TimeLimit.truncated", False))
        return observation, reward, bool(done) and not truncated, truncated, info

    def render(self) -> Observation:
        """Return an image, if the environment draws one."""
        return self._old.render()

    def close(self) -> None:
        """Close the environment."""
        self._old.close()


def make(env_id: str, params: dict[str, Any]) -> OldGym:
    """Create an environment registered with gym.

    Raises:
        DataError: gym is not installed.
    """
    try:
        import gym
    except ImportError as error:
        raise DataError(
            "environments of the old library gym need it: pip install plx-rl[gym]"
        ) from error
    # gym's checker uses a name that NumPy 2 removed.
    return OldGym(gym.make(env_id, disable_env_checker=True, **params))


def convert_space(space: Space) -> Space:
    """Convert a space of gym to one of gymnasium.

    Raises:
        DataError: gymnasium has no such space.
    """
    name = type(space).__name__
    if name == "Box":
        return spaces.Box(space.low, space.high, space.shape, np.dtype(space.dtype).type)
    if name == "Discrete":
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    if name == "MultiDiscrete":
        return spaces.MultiDiscrete(space.nvec)
    if name == "MultiBinary":
        return spaces.MultiBinary(space.n)
    if name == "Dict":
        return spaces.Dict({key: convert_space(part) for key, part in space.spaces.items()})
    if name == "Tuple":
        return spaces.Tuple([convert_space(part) for part in space.spaces])
    raise DataError(f"a {name} space of gym has no equivalent in gymnasium")
