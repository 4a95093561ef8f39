"""Choices among discrete actions: illegal ones are never greedy and have probability 0."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from plx_core.types import Array, Tensor


def mask_values(values: Tensor, mask: Tensor | None) -> Tensor:
    """Replace the values of illegal actions by one too low for any maximum or softmax.

    Args:
        values: action values or logits, float [B, A].
        mask: legal actions, bool [B, A]; None when all are. In a row without a legal action, as
            after the end of an episode, all count as legal.
    """
    if mask is None:
        return values
    legal = ops.logical_or(mask, ops.logical_not(ops.any(mask, axis=-1, keepdims=True)))
    dtype = np.dtype(keras.backend.standardize_dtype(values.dtype)).type
    return ops.where(legal, values, lowest(dtype))


def best_action(values: Tensor) -> Tensor:
    """Return the index of the highest value, the first of equal ones, int64 [B]; see `mask_values`.

    `keras.ops.argmax` prefers 0.0 to -0.0, which are equal on the host.
    """
    return ops.cast(ops.top_k(values, 1)[1][..., 0], "int64")


def mask_values_on_host(values: Array, mask: Array | None) -> Array:
    """Return `mask_values` of NumPy arrays."""
    if mask is None:
        return values
    legal = mask | ~mask.any(axis=-1, keepdims=True)
    return np.where(legal, values, lowest(values.dtype.type))


def lowest(dtype: type[np.floating]) -> np.floating:
    """Return a very low but finite number, so that 0 times it is 0 and differences are not NaN."""
    return dtype(np.finfo(dtype).min / 4)
