"""Action masks: illegal actions are never the best, and have no probability."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from plx_core.types import Tensor


def mask_values(values: Tensor, mask: Tensor) -> Tensor:
    """The values [B, A], with those of illegal actions so low that no maximum and no softmax sees them.

    Args:
        values: float [B, A]: action values or logits.
        mask: legal actions, bool [B, A]; None when all are. A row without a legal action, as after the end of an episode,
            counts as one where all are.
    """
    if mask is None:
        return values
    legal = tf.logical_or(mask, tf.logical_not(tf.reduce_any(mask, axis=-1, keepdims=True)))
    return tf.where(legal, values, tf.constant(lowest(values.dtype.as_numpy_dtype), values.dtype))


def mask_values_on_host(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """`mask_values` for NumPy arrays."""
    if mask is None:
        return values
    legal = mask | ~mask.any(axis=-1, keepdims=True)
    return np.where(legal, values, lowest(values.dtype.type))


def lowest(dtype: Tensor) -> Tensor:
    """A number far below any real value, finite so that 0 times it is 0 and a difference of two of them is not nan."""
    return dtype(np.finfo(dtype).min / 4)
