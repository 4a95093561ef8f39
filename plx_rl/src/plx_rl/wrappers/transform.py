"""Wrappers that see all N environments at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from plx_core import State, Stateful


class Transform(Stateful):
    """Changes the observations or rewards of a vector of environments; override what you need.

    Where an episode's return is reported it is that of the rewards before any transform.
    """

    def space(self, space: Any) -> Any:
        """The space of a changed observation."""
        return space

    def observe(self, observations: Any, learn: bool) -> Any:
        """The changed observations; what is known about observations is added to if `learn`."""
        return observations

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """The changed rewards, float32 [N]."""
        return rewards

    def graph(self, features: dict[str, Any]) -> dict[str, Any]:
        """`observe` on tensors, by name, as part of an exported policy."""
        return features

    def state(self) -> State:
        """What is known."""
        return {}

    def restore(self, state: State) -> None:
        """Go on from a state."""


def each_part(observations: Any, change: Callable[[str, np.ndarray], np.ndarray]) -> Any:
    """Observations with each part changed; the one part of what is no mapping has an empty name."""
    if isinstance(observations, Mapping):
        return {name: change(name, part) for name, part in observations.items()}
    return change("", observations)
