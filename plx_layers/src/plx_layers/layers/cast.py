"""Change the dtype of a tensor."""

from __future__ import annotations

from typing import Any

import keras

from plx_core.types import Tensor


@keras.saving.register_keras_serializable("plx_layers")
class Cast(keras.layers.Layer):
    """Cast a tensor to another dtype; its shape stays the same.

    Args:
        dtype: the dtype of the output, such as `float32`.
        name: the layer's name.

    Example:
        >>> Cast("float32")(keras.ops.ones((2, 3), "uint8")).dtype
        tf.float32
    """

    def __init__(self, dtype: str = "float32", name: str | None = None) -> None:
        super().__init__(dtype=dtype, name=name, trainable=False)
        self.autocast = False
        self._target = dtype

    def call(self, inputs: Tensor) -> Tensor:
        """Return the same values in the other dtype."""
        return keras.ops.cast(inputs, self._target)

    def compute_output_spec(self, inputs: Tensor) -> keras.KerasTensor:
        """Return the same shape in the other dtype."""
        return keras.KerasTensor(inputs.shape, dtype=self._target)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"dtype": self._target, "name": self.name}
