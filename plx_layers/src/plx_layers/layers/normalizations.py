"""Normalizations without weights."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from plx_core import Modes
from plx_core.annotations import NonNegativeInt, PositiveFloat
from plx_core.types import Tensor

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("plx_layers")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide each value by (bias + α · Σ x²)^β, over the channels around its own.

    Images keep their shape, [batch, height, width, channels].

    Source: Krizhevsky, Sutskever and Hinton 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 3.3.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        depth_radius: the number of channels on either side.
        bias: the constant, which avoids a division by 0.
        alpha: α.
        beta: β.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        depth_radius: NonNegativeInt = 5,
        bias: float = 1.0,
        alpha: float = 0.0001,
        beta: float = 0.75,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._params = {
            "depth_radius": depth_radius,
            "bias": bias,
            "alpha": alpha,
            "beta": beta,
        }
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the normalized values, in the inputs' shape."""
        return tf.nn.local_response_normalization(inputs, **self._params)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**self._params, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class L2Normalization(keras.layers.Layer):
    """Divide by the Euclidean norm along an axis: x / √max(Σ x², ε); the shape stays the same.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        dim: the axis, counted with the batch axis.
        epsilon: ε.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        dim: int,
        epsilon: PositiveFloat = 1e-12,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.dim = dim
        self.epsilon = epsilon

    def call(self, inputs: Tensor) -> Tensor:
        """Return the normalized values, in the inputs' shape."""
        # The sum of squares and a small ε are beyond the range of float16.
        values = ops.cast(inputs, "float32")
        squares = ops.sum(ops.square(values), axis=self.dim, keepdims=True)
        return ops.cast(values * ops.rsqrt(ops.maximum(squares, self.epsilon)), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"dim": self.dim, "epsilon": self.epsilon, "name": self.name}
