"""Losses of the difference between outputs and labels; the mean over the last axis.

Labels and outputs are float [batch, …] of the same shape. `class_weights` are for labels that are one-hot, [batch, classes].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from plx_core.annotations import NonNegativeFloat, PositiveFloat
from plx_layers.losses.weighing import Reduction, WeightedLoss


def huber(difference: Any, delta: float) -> Any:
    """½d² where |d| ≤ δ, else δ(|d| − ½δ); of the difference's shape. (Huber 1964, Robust Estimation of a Location Parameter)."""
    size = ops.abs(difference)
    return ops.where(size <= delta, 0.5 * ops.square(difference), delta * (size - 0.5 * delta))


@keras.saving.register_keras_serializable("plx_layers")
class AbsoluteDifference(WeightedLoss):
    """The mean of |output − label| over the last axis; labels and outputs are float [batch, …] of the same shape.

    Args:
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class, where labels are one-hot, [batch, classes].
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the last axis."""
        return ops.mean(ops.abs(outputs - labels), axis=-1)


@keras.saving.register_keras_serializable("plx_layers")
class MeanSquaredError(WeightedLoss):
    """The mean of (output − label)² over the last axis; labels and outputs are float [batch, …] of the same shape.

    Args:
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class, where labels are one-hot, [batch, classes].
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the last axis."""
        return ops.mean(ops.square(outputs - labels), axis=-1)


@keras.saving.register_keras_serializable("plx_layers")
class Huber(WeightedLoss):
    """Half the square of a small difference, and a straight line for a large one; the mean over the last axis.

    Labels and outputs are float [batch, …] of the same shape.

    Args:
        delta: up to which difference the loss is quadratic.
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class, where labels are one-hot, [batch, classes].
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def __init__(
        self,
        delta: PositiveFloat = 1.0,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, class_weights, reduction, name)
        self.delta = delta

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the last axis."""
        return ops.mean(huber(outputs - labels, self.delta), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"delta": self.delta} | super().get_config()


@keras.saving.register_keras_serializable("plx_layers")
class ClippedDelta(WeightedLoss):
    """The square of the difference between output and label, which is clipped first; the mean over the last axis.

    Labels and outputs are float [batch, …] of the same shape. A difference beyond the limits has no gradient, unlike Huber's.

    Args:
        clip_value_min: the least difference.
        clip_value_max: the largest difference.
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class, where labels are one-hot, [batch, classes].
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def __init__(
        self,
        clip_value_min: float = -1.0,
        clip_value_max: float = 1.0,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, class_weights, reduction, name)
        if clip_value_min >= clip_value_max:
            raise ValueError(
                f"clip_value_min: expected a number below clip_value_max, {clip_value_max}; got {clip_value_min}"
            )
        self.clip_value_min, self.clip_value_max = clip_value_min, clip_value_max

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the last axis."""
        return ops.mean(
            ops.square(ops.clip(outputs - labels, self.clip_value_min, self.clip_value_max)),
            axis=-1,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "clip_value_min": self.clip_value_min,
            "clip_value_max": self.clip_value_max,
        } | super().get_config()
