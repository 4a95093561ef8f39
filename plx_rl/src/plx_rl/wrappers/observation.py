"""Wrappers that change each part of an observation by itself."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import gymnasium
from gymnasium import spaces

from plx_core.errors import DataError


class PartWise(gymnasium.ObservationWrapper[Any, Any, Any]):
    """Changes the observation, or each part of a Dict, that `applies` says it can change.

    Args:
        env: the environment.

    Raises:
        DataError: it can change none.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        inner = env.observation_space
        if isinstance(inner, spaces.Dict):
            self._names = [name for name, part in inner.spaces.items() if self.applies(part)]
            if not self._names:
                raise DataError(
                    f"{type(self).__name__} finds nothing that it could change in {inner}"
                )
            self.observation_space = spaces.Dict({
                name: self.space_of(part) if name in self._names else part for name, part in inner.spaces.items()
            })  # fmt: skip
        elif self.applies(inner):
            self.observation_space = self.space_of(inner)
        else:
            raise DataError(f"{type(self).__name__.lstrip('_')} cannot change {inner}")

    def observation(self, observation: Any) -> Any:
        """The changed observation."""
        if isinstance(self.env.observation_space, spaces.Dict):
            return observation | {
                name: self.change(observation[name], name) for name in self._names
            }
        return self.change(observation, "")

    @abstractmethod
    def applies(self, space: Any) -> bool:
        """Whether a part of this space can be changed."""

    @abstractmethod
    def space_of(self, space: Any) -> Any:
        """The space of a changed part."""

    @abstractmethod
    def change(self, value: Any, name: str) -> Any:
        """The changed part."""
