"""Activation functions that Keras does not have."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

from plx_core.types import Tensor


@keras.saving.register_keras_serializable("plx_layers")
def crelu(x: Tensor) -> Tensor:
    """Concatenate max(x, 0) and max(−x, 0): [batch, …, features] to [batch, …, 2 · features].

    Use it in an `Activation` layer or a `FullyConnected`: Keras's other layers expect an activation
    to keep the shape.

    Source: Shang et al. 2016, Understanding and Improving Convolutional Neural Networks via
        Concatenated
    Rectified Linear Units.
    """
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=-1)


def activated_shape(
    activation: Callable[[Tensor], Tensor], shape: tuple[int | None, ...]
) -> tuple[int | None, ...]:
    """Return the shape of an activation of [batch, …, features]."""
    features = shape[-1]
    if activation is crelu and features is not None:
        return (*shape[:-1], 2 * features)
    return tuple(shape)
