"""The order in which examples are visited, batches in that order, and arrays as inputs.

An order is a function: which examples make up batch number k follows from the seed, the size of the data and k alone.
Nothing has to be remembered to go on from a batch but its number.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core.errors import DataError
from plx_core.state import Modes

ENDLESS = np.iinfo(np.int64).max


@frozen
class Order:
    """Which examples make up each batch, over all epochs, for one of several workers.

    Epochs follow each other without a gap: a batch may hold the last examples of one and the first of the next. All workers
    have the same number of batches, and each example of an epoch is one worker's. What is left at the very end, too little
    for a batch each, is divided evenly: into one more, short, batch each, or, if there is not one example each, among their
    last batches.
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
        """How many batches this worker has in all epochs; None when they never end."""
        full = self.num_full_batches
        return (
            full
            if full is None
            else full + (self._rest(full) >= self.num_workers and not self.drop_remainder)
        )

    @property
    def num_full_batches(self) -> int | None:
        """How many batches have `batch_size` examples, or those of a short rest more; None when they never end."""
        return (
            None
            if self.num_epochs is None
            else self.num_examples * self.num_epochs // (self.batch_size * self.num_workers)
        )

    def shard(self, worker: int, num_workers: int) -> Order:
        """The order of one of several workers.

        Raises:
            DataError: there are fewer examples than workers.
        """
        order = evolve(self, worker=worker, num_workers=num_workers)
        if order.num_batches == 0:
            raise DataError(
                f"{self.num_examples} examples are too few for {num_workers} workers with batches of {self.batch_size}"
            )
        return order

    def examples(self, positions: tf.Tensor) -> tf.Tensor:
        """The examples at positions counted over all epochs: int64 of the shape [p] of the positions."""
        within = positions % self.num_examples
        return self._permute(within, positions // self.num_examples) if self.shuffle else within

    @property
    def num_even_batches(self) -> int | None:
        """How many batches come before the last one or two, which may be shorter or longer; None when they never end."""
        full = self.num_full_batches
        return full if full is None else full - bool(self._last_extra())

    def positions(self, batch: int) -> list[int]:
        """The places of a batch's examples, counted over all epochs."""
        full = self.num_full_batches
        first = (batch * self.num_workers + self.worker) * self.batch_size
        if full is None or batch < full:
            more = (
                self._last_extra()
                if batch + 1 == self.num_batches and batch + 1 == full
                else range(0)
            )
            return [*range(first, first + self.batch_size), *more]
        rest = self._rest(full)
        begin = full * self.num_workers * self.batch_size
        return list(
            range(
                *(
                    begin + rest * worker // self.num_workers
                    for worker in (self.worker, self.worker + 1)
                )
            )
        )

    def indices(self, batch: int) -> tf.Tensor:
        """The examples of a batch: int64 [b]."""
        return self.examples(tf.constant(self.positions(batch), tf.int64))

    def full_batches(self, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """The examples of `count` full batches from number `first` on: int64 [count, batch_size]."""
        numbers = (first + tf.range(count)) * self.num_workers + self.worker
        positions = numbers[:, None] * self.batch_size + tf.range(self.batch_size, dtype=tf.int64)
        return tf.reshape(self.examples(tf.reshape(positions, [-1])), [-1, self.batch_size])

    def _rest(self, full: int) -> int:
        return (
            self.num_examples * (self.num_epochs or 0) - full * self.batch_size * self.num_workers
        )

    def _last_extra(self) -> range:
        """The positions that this worker's last full batch takes in, where there are too few for a batch each."""
        rest = self._rest(self.num_full_batches or 0)
        begin = (self.num_full_batches or 0) * self.batch_size * self.num_workers
        taken = begin + self.worker
        return range(
            taken, taken + (self.worker < rest < self.num_workers and not self.drop_remainder)
        )

    def _permute(self, within: tf.Tensor, epochs: tf.Tensor) -> tf.Tensor:
        # The cipher behind this op keeps much of the shape of a seed that merely counts, hence the mixing.
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
    """The order that a pipeline's parameters describe; what is None follows from the mode.

    Raises:
        DataError: there are no examples, or too few for a single batch.
    """
    training = Modes.is_train(mode)
    epochs = num_epochs if num_epochs is not None or training else 1
    order = Order(
        num_examples,
        batch_size,
        epochs,
        training if shuffle is None else shuffle,
        seed or 0,
        drop_remainder,
    )
    if not num_examples:
        raise DataError("there are no examples to read")
    if order.num_batches == 0:
        raise DataError(
            f"{num_examples} examples make no batch of {batch_size}, and drop_remainder leaves out shorter ones"
        )
    return order


# The finalizer of SplitMix64 (Steele, Lea & Flood 2014), for tensors and for Python's integers.
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(words: tf.Tensor) -> tf.Tensor:
    for shift, factor in _ROUNDS:
        words = tf.bitwise.bitwise_xor(
            words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
        ) * tf.constant(factor, tf.uint64)
    return tf.bitcast(words, tf.int64)


def mix_int(word: int) -> int:
    word &= _MASK
    for shift, factor in _ROUNDS:
        word = ((word ^ word >> shift) * factor) & _MASK
    return word - (1 << 64) if word >> 63 else word
