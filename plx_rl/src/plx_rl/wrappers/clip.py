"""Rewards and observations within bounds."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np

from plx_rl.wrappers.transform import Transform, each_part


@final
class ClipReward(Transform):
    """Cuts rewards off at two bounds.

    Args:
        minimum: the lower one.
        maximum: the upper one.
    """

    def __init__(self, minimum: float = -1.0, maximum: float = 1.0) -> None:
        self._bounds = _ordered(minimum, maximum)

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """The rewards within the bounds."""
        return np.asarray(np.clip(rewards, *self._bounds))


@final
class ClipObservation(Transform):
    """Cuts the numbers of an observation off at two bounds; images of bytes are left alone.

    Args:
        minimum: the lower one.
        maximum: the upper one.
    """

    def __init__(self, minimum: float = -10.0, maximum: float = 10.0) -> None:
        self._bounds = _ordered(minimum, maximum)

    def space(self, space: Any) -> Any:
        """Numbers within the bounds."""
        if isinstance(space, gymnasium.spaces.Dict):
            return gymnasium.spaces.Dict(
                {name: self.space(part) for name, part in space.spaces.items()}
            )
        if not isinstance(space, gymnasium.spaces.Box) or space.dtype.kind != "f":
            return space
        return gymnasium.spaces.Box(
            np.clip(space.low, *self._bounds), np.clip(space.high, *self._bounds), dtype=space.dtype
        )

    def observe(self, observations: Any, learn: bool) -> Any:
        """The observations within the bounds."""
        return each_part(
            observations,
            lambda name, part: np.clip(part, *self._bounds) if part.dtype.kind == "f" else part,
        )

    def graph(self, features: dict[str, Any]) -> dict[str, Any]:
        """The same on tensors."""
        import keras

        is_number = {
            name: keras.backend.standardize_dtype(tensor.dtype).startswith("float")
            for name, tensor in features.items()
        }
        return {
            name: keras.ops.clip(tensor, *self._bounds) if is_number[name] else tensor
            for name, tensor in features.items()
        }


def _ordered(minimum: float, maximum: float) -> tuple[float, float]:
    if minimum >= maximum:
        raise ValueError(f"minimum lies below maximum; got {minimum} and {maximum}")
    return minimum, maximum
