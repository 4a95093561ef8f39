"""The order in which a pipeline visits its examples.

An order is a function: which examples make up batch k follows from the seed, the number of examples
and k. A run that resumes needs only the number of its next batch.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core.errors import DataError
from plx_core.state import Modes
from plx_core.types import Tensor


@frozen
class Order:
    """The examples of each batch, over all epochs, for one of several workers.

    Epochs follow each other without a gap: a batch may hold the last examples of one epoch and the
    first of the next. All workers have the same number of batches, and each example of an epoch
    belongs to one worker. The remainder at the very end, too small for a full batch for each
    worker, is divided evenly. Every worker gets one more, shorter batch. If there are fewer
    examples than workers, some workers get one more example in their last batch instead.
    """

    num_examples: int
    batch_size: int
    num_epochs: int | None = None
    shuffle: bool = False
    seed: int = 0
    drop_remainder: bool = False
    worker: int = 0
    num_workers: int = 1

    @property
    def num_batches(self) -> int | None:
        """The number of batches of this worker in all epochs; None when they never end."""
        full = self.num_full_batches
        if full is None or self.drop_remainder or self._remainder < self.num_workers:
            return full
        return full + 1

    @property
    def num_full_batches(self) -> int | None:
        """The number of batches with at least `batch_size` examples; None when they never end."""
        if self.num_epochs is None:
            return None
        return self.num_examples * self.num_epochs // (self.batch_size * self.num_workers)

    @property
    def num_even_batches(self) -> int | None:
        """The number of batches before the last one or two, whose sizes may differ.

        None when they never end.
        """
        full = self.num_full_batches
        return full - 1 if full is not None and self._has_extra_example else full

    def shard(self, worker: int, num_workers: int) -> Order:
        """Return the order of one of several workers.

        Raises:
            DataError: there are fewer examples than workers.
        """
        order = evolve(self, worker=worker, num_workers=num_workers)
        if order.num_batches == 0:
            raise DataError(
                f"{self.num_examples} examples are too few for {num_workers} workers with batches "
                f"of {self.batch_size}"
            )
        return order

    def examples(self, positions: Tensor) -> Tensor:
        """Return the examples, int64 [p], at positions over all epochs, int64 [p]."""
        within = positions % self.num_examples
        return self._permute(within, positions // self.num_examples) if self.shuffle else within

    def positions(self, batch: int) -> list[int]:
        """Return the positions of a batch's examples, counted over all epochs."""
        full = self.num_full_batches
        if full is not None and batch >= full:
            begin = self._remainder * self.worker // self.num_workers
            end = self._remainder * (self.worker + 1) // self.num_workers
            return [self._end_of_full_batches + place for place in range(begin, end)]
        first = (batch * self.num_workers + self.worker) * self.batch_size
        positions = list(range(first, first + self.batch_size))
        if self._has_extra_example and batch + 1 == full:
            positions.append(self._end_of_full_batches + self.worker)
        return positions

    def indices(self, batch: int) -> Tensor:
        """Return the examples of a batch: int64 [b]."""
        return self.examples(tf.constant(self.positions(batch), tf.int64))

    def full_batches(self, first: Tensor, count: Tensor) -> Tensor:
        """Return the examples of `count` full batches from `first` on, int64 [count, size]."""
        numbers = (first + tf.range(count)) * self.num_workers + self.worker
        positions = numbers[:, None] * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
        return tf.reshape(self.examples(tf.reshape(positions, [-1])), [-1, self.batch_size])

    @property
    def _end_of_full_batches(self) -> int:
        """The position after the last full batch of all workers."""
        return (self.num_full_batches or 0) * self.batch_size * self.num_workers

    @property
    def _remainder(self) -> int:
        """The number of examples, of all workers, after the last full batches."""
        return self.num_examples * (self.num_epochs or 0) - self._end_of_full_batches

    @property
    def _has_extra_example(self) -> bool:
        """Whether the last batch takes one of the remaining examples, fewer than the workers."""
        return not self.drop_remainder and self.worker < self._remainder < self.num_workers

    def _permute(self, within: Tensor, epochs: Tensor) -> Tensor:
        # RandomIndexShuffle gives similar orders for seeds that merely count; hence the mixing.
        words = [
            _mix(tf.cast(epochs, tf.uint64) * 3 + ((self.seed * 0x9E3779B97F4A7C15 + word) & _MASK))
            for word in range(3)
        ]
        highest = np.int64(self.num_examples - 1)
        return tf.raw_ops.RandomIndexShuffle(
            index=within, seed=tf.stack(words, axis=1), max_index=highest, rounds=8
        )


def make_order(
    num_examples: int,
    batch_size: int,
    num_epochs: int | None,
    shuffle: bool | None,
    drop_remainder: bool,
    seed: int | None,
    mode: str,
) -> Order:
    """Return the order that a pipeline's parameters describe; what is None depends on the mode.

    Raises:
        DataError: there are no examples, or too few for a single batch.
    """
    training = Modes.is_train(mode)
    order = Order(
        num_examples,
        batch_size,
        num_epochs=1 if num_epochs is None and not training else num_epochs,
        shuffle=training if shuffle is None else shuffle,
        seed=seed or 0,
        drop_remainder=drop_remainder,
    )
    if not num_examples:
        raise DataError("there are no examples to read")
    if order.num_batches == 0:
        raise DataError(
            f"{num_examples} examples make no batch of {batch_size}, and drop_remainder leaves out "
            "shorter ones"
        )
    return order


# The finalizer of SplitMix64 (Steele, Lea & Flood 2014), for tensors and for Python's integers.
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(words: Tensor) -> Tensor:
    for shift, factor in _ROUNDS:
        words = tf.bitwise.bitwise_xor(
            words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
        ) * tf.constant(factor, tf.uint64)
    return tf.bitcast(words, tf.int64)


def mix_int(word: int) -> int:
    """Hash an integer to a signed one of 64 bits."""
    word &= _MASK
    for shift, factor in _ROUNDS:
        word = ((word ^ word >> shift) * factor) & _MASK
    return word - (1 << 64) if word >> 63 else word
