"""Activation functions that Keras lacks."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("plx_layers")
def crelu(x: Any) -> Any:
    """max(x, 0) and max(−x, 0) side by side: [batch, …, features] to [batch, …, 2 · features].

    It is for an `Activation` layer or a `FullyConnected`: Keras's own layers take the shape of their activation for granted.

    Source: Shang et al. 2016, Understanding and Improving Convolutional Neural Networks via Concatenated Rectified Linear Units.
    """
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1)


def activated_shape(activation: Any, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shape that an activation makes of [batch, …, features]."""
    if activation is crelu and shape[-1] is not None:
        return (*shape[:-1], 2 * shape[-1])
    return tuple(shape)
