"""An activation as a layer."""

from __future__ import annotations

import keras

from plx_core.annotations import ActivationLike
from plx_layers.activations import activated_shape


@keras.saving.register_keras_serializable("plx_layers")
class Activation(keras.layers.Activation):
    """Keras's `Activation`, with `crelu` too, which doubles the last axis; others keep the shape.

    Args:
        activation: the activation.
        trainable: unused: the layer has no weights.
        dtype: the dtype of the computation.
        name: the layer's name.
    """

    def __init__(
        self,
        activation: ActivationLike,
        trainable: bool = True,
        dtype: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(activation, trainable=trainable, dtype=dtype, name=name)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the activation's output."""
        return activated_shape(self.activation, tuple(input_shape))
