"""Environments of the library gym, up to its last version 0.26, as environments of gymnasium."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces

from plx_core.errors import DataError


@final
class OldGym(gymnasium.Env[Any, Any]):
    """An environment of gym, whose `step` may still return `done` alone and whose `reset` may return no info.

    Args:
        env: the environment.
    """

    def __init__(self, env: Any) -> None:
        self._old = env
        self.observation_space = convert_space(env.observation_space)
        self.action_space = convert_space(env.action_space)
        self.render_mode = getattr(env, "render_mode", None)
        self.metadata = dict(getattr(env, "metadata", {}))

    def __str__(self) -> str:
        return str(self._old)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        try:
            answer = self._old.reset(seed=seed)
        except TypeError:  # before gym 0.22 an environment was seeded by a method of its own
            if seed is not None:
                self._old.seed(seed)
            answer = self._old.reset()
        return (
            answer
            if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)
            else (answer, {})
        )

    def step(self, action: Any) -> Any:
        """Take an action."""
        answer = self._old.step(action)
        if len(answer) == 5:
            return answer
        observation, reward, done, info = answer
        is_cut = bool(info.get("TimeLimit.truncated", False))
        return observation, reward, bool(done) and not is_cut, bool(done) and is_cut, info

    def render(self) -> Any:
        """A picture, where the environment draws one."""
        return self._old.render()

    def close(self) -> None:
        """Close it."""
        self._old.close()


def make(env_id: str, params: dict[str, Any]) -> OldGym:
    """An environment that gym has registered.

    Raises:
        DataError: gym is not installed.
    """
    try:
        import gym
    except ImportError as error:
        raise DataError(
            "environments of the old library gym need it: pip install plx-rl[gym]"
        ) from error
    # Its checker uses a name that NumPy 2 has dropped.
    return OldGym(gym.make(env_id, disable_env_checker=True, **params))


def convert_space(space: Any) -> Any:
    """A space of gym as one of gymnasium.

    Raises:
        DataError: gymnasium has none like it.
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
    raise DataError(f"a {name} space of gym has no counterpart in gymnasium")
