"""Stacked batches, for programs that compile many steps into one loop."""

from __future__ import annotations

import tensorflow as tf

from plx_core.types import Nested

MOST_STEPS, MOST_BYTES = 64, 2**24
"""The limits of a stack, in batches and, roughly, bytes."""


class StackedBatches:
    """The batches of a data set in stacks: tensors with a leading axis of batches.

    Args:
        dataset: batches of one shape; see `have_one_shape`.
    """

    def __init__(self, dataset: tf.data.Dataset) -> None:
        parts = tf.nest.flatten(dataset.element_spec)
        batch_bytes = sum(part.shape.num_elements() * part.dtype.size for part in parts)
        size = max(1, min(MOST_STEPS, MOST_BYTES // max(1, batch_bytes)))
        self._iterator = iter(dataset.batch(size).prefetch(1))
        self._stack: Nested = None
        self._next = 0
        self._length = 0

    def take(self, steps: int) -> tuple[Nested, int, int]:
        """Take up to `steps` batches.

        Returns:
            A stack, the index of the first batch taken, and the number of batches taken.

        Raises:
            tf.errors.OutOfRangeError: all batches have been taken.
        """
        if self._next == self._length:
            self._stack = self._iterator.get_next()
            self._next = 0
            self._length = int(tf.nest.flatten(self._stack)[0].shape[0])
        first = self._next
        count = min(steps, self._length - first)
        self._next += count
        return self._stack, first, count

    def get_next(self) -> Nested:
        """Take the next batch alone; see `take`."""
        stack, first, _ = self.take(1)
        return tf.nest.map_structure(lambda part: part[first], stack)


def have_one_shape(dataset: tf.data.Dataset) -> bool:
    """Whether all batches are known to have the same shape and to hold numbers."""
    parts = tf.nest.flatten(dataset.element_spec)
    return all(
        isinstance(part, tf.TensorSpec)
        and part.shape.is_fully_defined()
        and part.dtype != tf.string
        for part in parts
    )
