"""Action masks: illegal actions are never greedy and have probability 0."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

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
    legal = tf.logical_or(mask, tf.logical_not(tf.reduce_any(mask, axis=-1, keepdims=True)))
    return tf.where(legal, values, tf.constant(lowest(values.dtype.as_numpy_dtype), values.dtype))


def mask_values_on_host(values: Array, mask: Array | None) -> Array:
    """Return `mask_values` of NumPy arrays."""
    if mask is None:
        return values
    legal = mask | ~mask.any(axis=-1, keepdims=True)
    return np.where(legal, values, lowest(values.dtype.type))


def lowest(dtype: type[np.floating]) -> np.floating:
    """Return a very low but finite number, so that 0 times it is 0 and differences are not NaN."""
    return dtype(np.finfo(dtype).min / 4)
