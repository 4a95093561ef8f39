"""A rectifier with a threshold."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core.annotations import NonNegativeFloat
from plx_core.types import Tensor


@keras.saving.register_keras_serializable("plx_layers")
class ThresholdedReLU(keras.layers.Layer):
    """x where x > θ, else 0; the shape stays the same.

    Source: Konda, Memisevic and Krueger 2015, Zero-Bias Autoencoders and the Benefits of
        Co-Adapting
    Features.

    Args:
        theta: the threshold.
        name: the layer's name.
    """

    def __init__(self, theta: NonNegativeFloat = 1.0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.supports_masking = True
        self.theta = theta

    def call(self, inputs: Tensor) -> Tensor:
        """Return the values above the threshold, in the inputs' shape."""
        return ops.where(inputs > self.theta, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"theta": self.theta, "name": self.name}
