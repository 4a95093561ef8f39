"""Change the shape of each example."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("plx_layers")
class Reshape(keras.layers.Reshape):
    """Give each example another shape: [batch, …] to [batch, target_shape…].

    Args:
        target_shape: the new shape without the batch; an integer is a shape of one axis, and one axis may be −1, which takes what is
            left.
        name: the layer's name.
    """

    def __init__(self, target_shape: int | list[int], name: str | None = None) -> None:
        super().__init__(
            (target_shape,) if isinstance(target_shape, int) else tuple(target_shape), name=name
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"target_shape": list(self.target_shape), "name": self.name}
