"""The base of wrappers that change parts of an observation."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium
from gymnasium import spaces

from plx_core.errors import DataError
from plx_core.types import Space
from plx_rl.types import Env, Observation


class PartWrapper(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Changes an observation, or those parts of a Dict to which `applies` returns True.

    Args:
        env: the environment.

    Raises:
        DataError: the wrapper applies to no part.
    """

    def __init__(self, env: Env) -> None:
        super().__init__(env)
        inner = env.observation_space
        parts = dict(inner.spaces) if isinstance(inner, spaces.Dict) else {"": inner}
        changed = {name: self.space_of(part) for name, part in parts.items() if self.applies(part)}
        if not changed:
            raise DataError(f"{type(self).__name__.lstrip('_')} cannot change {inner}")
        self._names = list(changed)
        self.observation_space = (
            spaces.Dict(parts | changed) if isinstance(inner, spaces.Dict) else changed[""]
        )

    def observation(self, observation: Observation) -> Observation:
        """Return the changed observation."""
        if isinstance(self.env.observation_space, spaces.Dict):
            return observation | {
                name: self.change(observation[name], name) for name in self._names
            }
        return self.change(observation, "")

    @abstractmethod
    def applies(self, space: Space) -> bool:
        """Return whether a part of this space can be changed."""

    @abstractmethod
    def space_of(self, space: Space) -> Space:
        """Return the space of a changed part."""

    @abstractmethod
    def change(self, value: Observation, name: str) -> Observation:
        """Return the changed part; `name` is empty for an observation without parts."""
