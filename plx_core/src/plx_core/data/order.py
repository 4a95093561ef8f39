"""The order in which a pipeline visits its examples.

The examples of a batch depend only on the fields of an `Order` and on the number of the batch. So a
run that resumes needs only the number of its next batch.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core.errors import DataError
from plx_core.state import Modes
from plx_core.types import Tensor

# The constants of SplitMix64 (Steele, Lea & Flood 2014).
_INCREMENT = 0x9E3779B97F4A7C15
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
_MASK = 0xFFFFFFFFFFFFFFFF


@frozen
class Order:
    """The examples of each batch, over all epochs, for one of several workers.

    Epochs follow each other without a gap: a batch may hold the last examples of one epoch and the
    first of the next. All workers have the same number of batches, and each example of an epoch
    belongs to one worker. The examples that remain at the very end, too few for a full batch for
    each worker, are divided evenly: every worker gets one more, shorter batch. If fewer examples
    than workers remain, some workers get one more example in their last batch instead.
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
        """The number of batches, from the first, with exactly `batch_size` examples.

        One or two batches of another size may follow. None when the batches never end.
        """
        full = self.num_full_batches
        if full is not None and self._has_extra_example:
            return full - 1
        return full

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
        indices = positions % self.num_examples
        if not self.shuffle:
            return indices
        return self._permute(indices, positions // self.num_examples)

    def positions(self, batch: int) -> list[int]:
        """Return the positions of a batch's examples, counted over all epochs."""
        full = self.num_full_batches
        if full is not None and batch >= full:
            begin = self._remainder * self.worker // self.num_workers
            end = self._remainder * (self.worker + 1) // self.num_workers
            return [self._end_of_full_batches + offset for offset in range(begin, end)]
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
        """The first position after the full batches of all workers."""
        return (self.num_full_batches or 0) * self.batch_size * self.num_workers

    @property
    def _remainder(self) -> int:
        """The number of examples, of all workers, after the last full batches."""
        return self.num_examples * (self.num_epochs or 0) - self._end_of_full_batches

    @property
    def _has_extra_example(self) -> bool:
        """Whether the last full batch holds one of the remaining examples as well."""
        return not self.drop_remainder and self.worker < self._remainder < self.num_workers

    def _permute(self, indices: Tensor, epochs: Tensor) -> Tensor:
        """Return the examples, int64 [p], at indices into the shuffled orders of epochs."""
        # The seeds are hashed: RandomIndexShuffle gives similar orders for consecutive seeds.
        seeds = [
            _mix(tf.cast(epochs, tf.uint64) * 3 + ((self.seed * _INCREMENT + word) & _MASK))
            for word in range(3)
        ]
        return tf.raw_ops.RandomIndexShuffle(
            index=indices,
            seed=tf.stack(seeds, axis=1),
            max_index=np.int64(self.num_examples - 1),
            rounds=8,
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
    """Return the order that the parameters of a pipeline describe.

    Args:
        num_examples: the number of examples.
        batch_size: the number of examples in a batch.
        num_epochs: the number of passes over the examples; when None, without end in training and
            one otherwise.
        shuffle: whether to reshuffle each epoch; when None, in training only.
        drop_remainder: whether to drop a short last batch.
        seed: the seed of the order; zero when None.
        mode: one of `Modes`.

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
            f"{num_examples} examples are too few for a batch of {batch_size}, and drop_remainder "
            "drops shorter ones"
        )
    return order


def _mix(words: Tensor) -> Tensor:
    """Hash integers, uint64, to int64, with the finalizer of SplitMix64."""
    for shift, factor in _ROUNDS:
        words = tf.bitwise.bitwise_xor(
            words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
        ) * tf.constant(factor, tf.uint64)
    return tf.bitcast(words, tf.int64)


def mix_int(word: int) -> int:
    """Hash a Python integer to a signed 64-bit one, with the finalizer of SplitMix64."""
    word &= _MASK
    for shift, factor in _ROUNDS:
        word = ((word ^ word >> shift) * factor) & _MASK
    return word - (1 << 64) if word >> 63 else word
