"""An activation as a layer."""

from __future__ import annotations

from typing import Any

import keras

from plx_core.annotations import ActivationLike
from plx_layers.activations import activated_shape


@keras.saving.register_keras_serializable("plx_layers")
class Activation(keras.layers.Activation):
    """Apply an activation to a tensor, whose shape stays, but for `crelu`, which doubles the last axis.

    Args:
        activation: what is applied.
        name: the layer's name.
    """

    def __init__(self, activation: ActivationLike, name: str | None = None) -> None:
        super().__init__(activation, name=name)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The activation's shape."""
        return activated_shape(self.activation, tuple(input_shape))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"activation": keras.activations.serialize(self.activation), "name": self.name}
