"""Observations of mean 0 and variance 1."""

from __future__ import annotations

from typing import final

import gymnasium
import numpy as np

from plx_core import STATE, State
from plx_core.annotations import PositiveFloat
from plx_core.errors import DataError
from plx_core.types import Observations, Space, Tensor
from plx_rl.wrappers.moments import Moments
from plx_rl.wrappers.transform import Transform, each_part


@final
class NormalizeObservation(Transform):
    """Normalise each element of an observation by its running mean and standard deviation.

    The statistics are taken over all environments and all steps of training; an environment for
    evaluation needs this wrapper too, and uses those of the training environment. Observations of a
    replay memory are normalised when they are sampled. uint8 images stay unchanged.

    Args:
        clip: clip normalised values to [-clip, clip].
        epsilon: added to the variance.
    """

    def __init__(self, clip: PositiveFloat = 10.0, epsilon: PositiveFloat = 1e-8) -> None:
        self._clip = clip
        self._epsilon = epsilon
        self._moments: dict[str, Moments] = {}

    @property
    def statistics(self) -> str:
        """The name and the parameters."""
        return f"NormalizeObservation(clip={self._clip}, epsilon={self._epsilon})"

    def space(self, space: Space) -> Space:
        """Return the space with the bounds of the clipping."""
        if isinstance(space, gymnasium.spaces.Dict):
            return gymnasium.spaces.Dict(
                {name: self.space(part) for name, part in space.spaces.items()}
            )
        if not isinstance(space, gymnasium.spaces.Box) or space.dtype.kind != "f":
            return space
        return gymnasium.spaces.Box(-self._clip, self._clip, space.shape, np.float32)

    def observe(self, observations: Observations, learn: bool) -> Observations:
        """Return the normalised observations."""

        def normalize(name: str, part: np.ndarray) -> np.ndarray:
            return self._normalize(name, part, learn) if part.dtype.kind == "f" else part

        return each_part(observations, normalize)

    def graph(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Normalise tensors in the same way."""
        names = {name or next(iter(features)): moments for name, moments in self._moments.items()}
        return features | {
            name: self._on_tensor(features[name], moments) for name, moments in names.items()
        }

    def state(self) -> State:
        """Return the moments of each part."""
        return {
            "moments": {name or STATE: moments.state() for name, moments in self._moments.items()},
            "named": "" not in self._moments,
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self._moments = {}
        for name, saved in state["moments"].items():
            moments = Moments()
            moments.restore(saved)
            self._moments[name if state["named"] else ""] = moments

    def _normalize(self, name: str, part: np.ndarray, learn: bool) -> np.ndarray:
        moments = self._moments.setdefault(name, Moments())
        if moments.count and moments.mean.shape != part.shape[1:]:
            raise DataError(
                f"NormalizeObservation has statistics of observations {moments.mean.shape}; "
                f"these are {part.shape[1:]}"
            )
        if learn:
            moments.update(part)
        scaled = (part - moments.mean) / np.sqrt(moments.variance + self._epsilon)
        return np.asarray(np.clip(scaled, -self._clip, self._clip), np.float32)

    def _on_tensor(self, tensor: Tensor, moments: Moments) -> Tensor:
        import keras

        mean = moments.mean.astype(np.float32)
        deviation = np.sqrt(moments.variance + self._epsilon).astype(np.float32)
        return keras.ops.clip((tensor - mean) / deviation, -self._clip, self._clip)
