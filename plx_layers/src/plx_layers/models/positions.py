"""Labels at several positions of each example, such as the words of a sentence."""

from __future__ import annotations

import keras
from keras import ops

from plx_core.types import Tensor

_TOTALS = ("sum", "none", None)


def flatten_positions(
    labels: Tensor, outputs: Tensor, padding: int | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Make each position an example of its own.

    Args:
        labels: class indices, int [batch, …], or one-hot, [batch, …, classes].
        outputs: float [batch, …, classes].
        padding: the label of positions to ignore.

    Returns:
        Labels, [n] or [n, classes]; outputs, [n, classes]; and a mask, float [n], 1 for positions
        that count and 0 for the others, or None if all count.
    """
    classes = outputs.shape[-1]
    if len(outputs.shape) > 2:
        is_one_hot = len(labels.shape) == len(outputs.shape) and labels.shape[-1] == classes
        labels = ops.reshape(labels, (-1, classes) if is_one_hot else (-1,))
        outputs = ops.reshape(outputs, (-1, classes))
    if padding is None:
        return labels, outputs, None
    if len(labels.shape) > 1 and labels.shape[-1] != 1:
        indices = ops.argmax(labels, axis=-1)
    else:
        indices = ops.reshape(labels, (-1,))
    is_counted = ops.not_equal(ops.cast(indices, "int64"), padding)
    if len(labels.shape) == 1 or labels.shape[-1] == 1:
        # The label of padding need not be a class, which a loss would refuse.
        labels = ops.where(ops.reshape(is_counted, ops.shape(labels)), labels, 0)
    return labels, outputs, ops.cast(is_counted, outputs.dtype)


def masked_loss(
    loss: keras.losses.Loss, labels: Tensor, outputs: Tensor, mask: Tensor | None
) -> Tensor:
    """Apply a Keras loss to the examples that count; a mean is that of these examples.

    Args:
        loss: the loss.
        labels: as the loss takes them.
        outputs: float [n, classes].
        mask: float [n], 1 for examples that count and 0 for the others; None if all count.
    """
    if mask is None:
        return loss(labels, outputs)
    if getattr(loss, "reduction", None) not in _TOTALS:
        # Keras divides by the number of all examples, including those of weight 0.
        mask = mask * (ops.cast(ops.size(mask), mask.dtype) / ops.maximum(ops.sum(mask), 1.0))
    return loss(labels, outputs, sample_weight=mask)
