"""Labels at many places of each example, such as the words of a sentence or the pixels of an image."""

from __future__ import annotations

from typing import Any

from keras import ops

_TOTALS = ("sum", "none", None)


def flatten_positions(
    labels: Any, outputs: Any, padding: int | None = None
) -> tuple[Any, Any, Any]:
    """Make each place an example of its own.

    Args:
        labels: class indices, int [batch, …], or one-hot, [batch, …, classes].
        outputs: float [batch, …, classes].
        padding: the label of places that do not count.

    Returns:
        Labels, [n] or [n, classes]; outputs, [n, classes]; and float [n], 1 where a place counts and 0 elsewhere, or None where all
        count.
    """
    classes = outputs.shape[-1]
    if len(outputs.shape) > 2:
        one_hot = len(labels.shape) == len(outputs.shape) and labels.shape[-1] == classes
        labels = ops.reshape(labels, (-1, classes) if one_hot else (-1,))
        outputs = ops.reshape(outputs, (-1, classes))
    if padding is None:
        return labels, outputs, None
    indices = (
        ops.argmax(labels, axis=-1)
        if len(labels.shape) > 1 and labels.shape[-1] != 1
        else ops.reshape(labels, (-1,))
    )
    return (
        labels,
        outputs,
        ops.cast(ops.not_equal(ops.cast(indices, "int64"), padding), outputs.dtype),
    )


def counted_loss(loss: Any, labels: Any, outputs: Any, counts: Any) -> Any:
    """A Keras loss over the examples that count: their mean where the loss gives a mean, their sum where it gives a sum.

    Args:
        loss: the loss.
        labels: as the loss takes them.
        outputs: float [n, classes].
        counts: float [n], 1 where an example counts and 0 elsewhere; None where all do.
    """
    if counts is None:
        return loss(labels, outputs)
    if getattr(loss, "reduction", None) not in _TOTALS:
        # Keras divides by the number of all examples, also by that of those whose weight is 0.
        counts = counts * (
            ops.cast(ops.size(counts), counts.dtype) / ops.maximum(ops.sum(counts), 1.0)
        )
    return loss(labels, outputs, sample_weight=counts)
