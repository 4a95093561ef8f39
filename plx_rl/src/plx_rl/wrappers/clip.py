"""Clipped rewards and observations."""

from __future__ import annotations

from typing import final

import gymnasium
import numpy as np

from plx_core.types import Observations, Space, Tensor
from plx_rl.wrappers.transform import Transform, each_part


@final
class ClipReward(Transform):
    """Clip rewards to a range.

    Args:
        minimum: the lower bound.
        maximum: the upper bound.
    """

    def __init__(self, minimum: float = -1.0, maximum: float = 1.0) -> None:
        self._bounds = _bounds(minimum, maximum)

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """Return the clipped rewards."""
        return np.asarray(np.clip(rewards, *self._bounds))


@final
class ClipObservation(Transform):
    """Clip the floating-point parts of an observation to a range; uint8 images stay unchanged.

    Args:
        minimum: the lower bound.
        maximum: the upper bound.
    """

    def __init__(self, minimum: float = -10.0, maximum: float = 10.0) -> None:
        self._bounds = _bounds(minimum, maximum)

    def space(self, space: Space) -> Space:
        """Return the space with clipped bounds."""
        if isinstance(space, gymnasium.spaces.Dict):
            return gymnasium.spaces.Dict(
                {name: self.space(part) for name, part in space.spaces.items()}
            )
        if not isinstance(space, gymnasium.spaces.Box) or space.dtype.kind != "f":
            return space
        return gymnasium.spaces.Box(
            np.clip(space.low, *self._bounds), np.clip(space.high, *self._bounds), dtype=space.dtype
        )

    def observe(self, observations: Observations, learn: bool) -> Observations:
        """Return the clipped observations."""
        return each_part(
            observations,
            lambda name, part: np.clip(part, *self._bounds) if part.dtype.kind == "f" else part,
        )

    def graph(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Clip tensors in the same way."""
        import keras

        return {
            name: keras.ops.clip(tensor, *self._bounds)
            if keras.backend.standardize_dtype(tensor.dtype).startswith("float")
            else tensor
            for name, tensor in features.items()
        }


def _bounds(minimum: float, maximum: float) -> tuple[float, float]:
    if minimum >= maximum:
        raise ValueError(f"minimum must be below maximum; got {minimum} and {maximum}")
    return minimum, maximum
