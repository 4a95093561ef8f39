"""The base of wrappers that see all N environments at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from plx_core import State, Stateful
from plx_core.types import Observations, Space, Tensor


class Transform(Stateful):
    """Changes the observations or rewards of N environments; override what you need.

    Episode returns are reported from the rewards before any transform.
    """

    def space(self, space: Space) -> Space:
        """Return the space of a transformed observation."""
        return space

    def observe(self, observations: Observations, learn: bool) -> Observations:
        """Return the transformed observations.

        Args:
            observations: one array [N, …], or arrays by name.
            learn: also update running statistics, if there are any.
        """
        return observations

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """Return the transformed rewards, float32 [N].

        Args:
            rewards: float32 [N].
            ended: where an episode ended in this step, bool [N].
            learn: also update running statistics, if there are any.
        """
        return rewards

    def graph(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Apply `observe` to tensors by name, as part of an exported policy."""
        return features

    @property
    def statistics(self) -> str:
        """What `observe` does with running statistics, with its parameters; empty without any.

        A transform that overrides `observe` and `state` has some; override this if it has
        parameters.
        """
        kind = type(self)
        has_some = kind.observe is not Transform.observe and kind.state is not Transform.state
        return kind.__name__ if has_some else ""

    def follow(self, training: State) -> None:
        """Take over the statistics of another environment, whose number of copies may differ."""
        self.restore(training)

    def state(self) -> State:
        """Return the running statistics."""
        return {}

    def restore(self, state: State) -> None:
        """Continue from a state."""


def each_part(
    observations: Observations, change: Callable[[str, np.ndarray], np.ndarray]
) -> Observations:
    """Apply a function to each part of observations.

    Args:
        observations: one array, or arrays by name.
        change: called with a part's name, which is empty for a single array, and the part.
    """
    if isinstance(observations, Mapping):
        return {name: change(name, part) for name, part in observations.items()}
    return change("", observations)
