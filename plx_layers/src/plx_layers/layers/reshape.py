"""Change the shape of each example."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("plx_layers")
class Reshape(keras.layers.Reshape):
    """Keras's `Reshape`, whose shape may be an integer too: [batch, …] to [batch, target_shape…].

    Args:
        target_shape: the new shape without the batch; an integer is a shape of one axis. One axis
            may be −1, which takes the remaining elements.
        trainable: unused: the layer has no weights.
        dtype: the dtype of the computation.
        name: the layer's name.
    """

    def __init__(
        self,
        target_shape: int | list[int],
        trainable: bool = True,
        dtype: str | None = None,
        name: str | None = None,
    ) -> None:
        shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        super().__init__(shape, trainable=trainable, dtype=dtype, name=name)
