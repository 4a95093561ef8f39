"""Losses of how alike labels and outputs are: their direction, and the side of a margin that they are on."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core.annotations import NonNegativeFloat
from plx_layers.losses.weighing import Reduction, WeightedLoss


@keras.saving.register_keras_serializable("plx_layers")
class Hinge(WeightedLoss):
    """max(0, 1 − y · output) with y = ±1; the mean over the last axis.

    Labels are float [batch, …] of the outputs' shape, 0 and 1 or −1 and 1; outputs are float [batch, …].

    Args:
        weights: what the loss is multiplied with.
        class_weights: what each element of the last axis is multiplied with, one number a class; with one output, the weights of a
            negative and of a positive label.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    independent = True

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …], one for each element."""
        sides = ops.where(labels > 0, 1.0, -1.0)
        return ops.relu(1.0 - ops.cast(sides, outputs.dtype) * outputs)


@keras.saving.register_keras_serializable("plx_layers")
class CosineDistance(WeightedLoss):
    """1 − cos of the angle between label and output; for vectors of length 1 that is TensorFlow 1's `cosine_distance`.

    Labels and outputs are float [batch, …] of the same shape, and need not have length 1.

    Args:
        dim: the axis that the vectors lie along.
        weights: what the loss is multiplied with.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def __init__(
        self,
        dim: int = -1,
        weights: NonNegativeFloat = 1.0,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, None, reduction, name)
        self.dim = dim

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the axis `dim`."""
        return 1.0 - ops.sum(
            ops.normalize(labels, axis=self.dim) * ops.normalize(outputs, axis=self.dim),
            axis=self.dim,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = {"dim": self.dim} | super().get_config()
        del config["class_weights"]
        return config
