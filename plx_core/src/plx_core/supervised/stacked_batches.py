"""Batches a chunk at a time, for programs in which many steps are one compiled loop."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

MOST_STEPS, MOST_BYTES = 64, 2**24
"""A chunk has at most so many batches, and about so many bytes."""


class Chunks:
    """The batches of a data set, several of them stacked: tensors whose first axis counts the batches of a chunk.

    Args:
        dataset: batches of one shape; `have_one_shape` tells.
    """

    def __init__(self, dataset: tf.data.Dataset) -> None:
        parts = tf.nest.flatten(dataset.element_spec)
        batch_bytes = sum(part.shape.num_elements() * part.dtype.size for part in parts)
        size = max(1, min(MOST_STEPS, MOST_BYTES // max(1, batch_bytes)))
        self._iterator = iter(dataset.batch(size).prefetch(1))
        self._chunk: Any = None
        self._next, self._length = 0, 0

    def take(self, steps: int) -> tuple[Any, int, int]:
        """A chunk, the first batch in it that has not been taken, and how many from there on now are: at most `steps`.

        Raises:
            tf.errors.OutOfRangeError: all batches have been taken.
        """
        if self._next == self._length:
            self._chunk = self._iterator.get_next()
            self._next, self._length = 0, int(tf.nest.flatten(self._chunk)[0].shape[0])
        first, count = self._next, min(steps, self._length - self._next)
        self._next += count
        return self._chunk, first, count

    def get_next(self) -> Any:
        """The next batch alone; raises what `take` raises."""
        chunk, first, _ = self.take(1)
        return tf.nest.map_structure(lambda part: part[first], chunk)


def have_one_shape(dataset: tf.data.Dataset) -> bool:
    """Whether all batches of a data set are known to have the same shape, and to hold numbers."""
    parts = tf.nest.flatten(dataset.element_spec)
    return all(
        isinstance(part, tf.TensorSpec)
        and part.shape.is_fully_defined()
        and part.dtype != tf.string
        for part in parts
    )
