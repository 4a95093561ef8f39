"""Observations of mean 0 and variance 1."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np

from plx_core import State
from plx_core.annotations import PositiveFloat
from plx_rl.wrappers.moments import Moments
from plx_rl.wrappers.transform import Transform, each_part


@final
class NormalizeObservation(Transform):
    """Takes the mean off each number of an observation and divides by its deviation, both over all environments and all time.

    Images of bytes are left alone. An environment of evaluation uses what the one of training knows.

    Args:
        clip: what lies further from 0 is cut off.
        epsilon: is added to the variance.
    """

    def __init__(self, clip: PositiveFloat = 10.0, epsilon: PositiveFloat = 1e-8) -> None:
        self._clip = clip
        self._epsilon = epsilon
        self._moments: dict[str, Moments] = {}

    def space(self, space: Any) -> Any:
        """Numbers between the cuts."""
        if isinstance(space, gymnasium.spaces.Dict):
            return gymnasium.spaces.Dict(
                {name: self.space(part) for name, part in space.spaces.items()}
            )
        is_number = isinstance(space, gymnasium.spaces.Box) and space.dtype.kind == "f"
        return (
            gymnasium.spaces.Box(-self._clip, self._clip, space.shape, np.float32)
            if is_number
            else space
        )

    def observe(self, observations: Any, learn: bool) -> Any:
        """The normalised observations."""
        return each_part(
            observations,
            lambda name, part: (
                self._normalize(name, part, learn) if part.dtype.kind == "f" else part
            ),
        )

    def graph(self, features: dict[str, Any]) -> dict[str, Any]:
        """The same on tensors."""
        names = {name or next(iter(features)): moments for name, moments in self._moments.items()}
        return features | {
            name: self._on_tensor(features[name], moments) for name, moments in names.items()
        }

    def state(self) -> State:
        """The moments of each part."""
        return {
            "moments": {
                name or "state": moments.state() for name, moments in self._moments.items()
            },
            "named": "" not in self._moments,
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._moments = {}
        for name, known in state["moments"].items():
            self._moments[name if state["named"] else ""] = moments = Moments()
            moments.restore(known)

    def _normalize(self, name: str, part: np.ndarray, learn: bool) -> np.ndarray:
        moments = self._moments.setdefault(name, Moments())
        if learn:
            moments.update(part)
        scaled = (part - moments.mean) / np.sqrt(moments.variance + self._epsilon)
        return np.asarray(np.clip(scaled, -self._clip, self._clip), np.float32)

    def _on_tensor(self, tensor: Any, moments: Moments) -> Any:
        import keras

        deviation = np.sqrt(moments.variance + self._epsilon)
        return keras.ops.clip(
            (tensor - moments.mean.astype(np.float32)) / deviation.astype(np.float32),
            -self._clip,
            self._clip,
        )
