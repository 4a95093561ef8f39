"""Batches as a `tf.data.Dataset`, read in the order of an `Order` from any batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core.data.order import Order, mix_int
from plx_core.data.resident import Resident
from plx_core.types import Dataset, Nested, Tensor

ElementSpec: TypeAlias = tuple[dict[str, tf.TensorSpec], Any]
"""The `tf.TensorSpec`s of a batch: (features by name, labels)."""

Read: TypeAlias = Callable[[Tensor], Nested]
"""From the indices of examples, int64 [b], to a batch with a leading axis of b."""

MOST_BATCHES = 64
"""The order of at most this many batches is computed at once."""

MOST_INDICES = 2**16
"""The order of about this many examples is computed at once."""

MOST_BYTES = 2**21
"""About this much is gathered from memory at once: a call costs more than copying a small batch."""

_STRING_BYTES = 64
_ENDLESS = np.iinfo(np.int64).max

_no_autograph = tf.autograph.experimental.do_not_convert
"""Spare a dataset's function the conversion by AutoGraph, which takes long and changes nothing."""


def batches(
    order: Order,
    read: Read,
    start: int = 0,
    *,
    process: Callable[[Tensor, Nested], Nested] | None = None,
    parallel: bool = True,
    lengths: Resident | None = None,
    example_bytes: int | None = None,
) -> Dataset:
    """Return the batches of an order from number `start` on, without reading those before it.

    Args:
        order: which examples make up each batch.
        read: from the indices of examples, int64 [b], to a batch.
        start: the first batch.
        process: from a batch's number and contents to the batch that replaces it.
        parallel: read batches on several threads; gathering from an array is faster without.
        lengths: the length of each example, to put examples of similar lengths into a batch. The
            examples of some 64 batches are sorted by length and divided into batches again, which
            then come in a random order.
        example_bytes: the size of an example, if `read` merely gathers rows of one shape: it is
            then called for several batches at once. None if an example's shape depends on its
            batch, or if reading it takes longer.
    """

    @_no_autograph
    def make(number: Tensor, indices: Tensor) -> Nested:
        batch = read(indices)
        return batch if process is None else process(number, batch)

    @_no_autograph
    def make_block(number: Tensor, indices: Tensor) -> Nested:
        rows = read(tf.reshape(indices, [-1]))
        return tf.nest.map_structure(
            lambda part: tf.reshape(part, tf.concat([tf.shape(indices), tf.shape(part)[1:]], 0)),
            rows,
        )

    options = tf.data.Options()
    options.deterministic = True
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    if example_bytes is not None and process is None and lengths is None:
        size = _block_size(order, MOST_BYTES // max(1, example_bytes))
        dataset = _blocks(order, start, size, make_block, make)
    else:
        calls = tf.data.AUTOTUNE if parallel else None
        dataset = _numbered_indices(order, start, lengths).map(
            make, num_parallel_calls=calls, deterministic=True if parallel else None
        )
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def bytes_per_example(spec: ElementSpec) -> int | None:
    """Return the bytes of an example in a batch of this specification; None if batches differ."""
    parts = tf.nest.flatten(spec)
    if not all(part.shape[1:].is_fully_defined() for part in parts):
        return None
    return sum(
        int(part.shape[1:].num_elements())
        * (_STRING_BYTES if part.dtype == tf.string else part.dtype.size)
        for part in parts
    )


def _numbered_indices(order: Order, start: int, lengths: Resident | None) -> Dataset:
    """Return (number, indices) of each batch from `start` on, computed for many batches at once."""
    size = _block_size(order, MOST_INDICES)

    @_no_autograph
    def number_block(block: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        if lengths is not None:
            indices = _bucket(indices, lengths.gather(tf.reshape(indices, [-1])), order.seed, block)
        return block * size + tf.range(tf.shape(indices, tf.int64)[0]), indices

    @_no_autograph
    def number_batch(number: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
        return number, indices

    return _blocks(order, start, size, number_block, number_batch)


def _block_size(order: Order, examples: int) -> int:
    """Return how many batches make up a block of about `examples` examples."""
    return max(1, min(MOST_BATCHES, examples // order.batch_size))


def _blocks(
    order: Order,
    start: int,
    size: int,
    map_block: Callable[[Tensor, Tensor], Nested],
    map_batch: Callable[[Tensor, Tensor], Nested],
) -> Dataset:
    """Return the batches of an order from number `start` on, computed in blocks.

    Args:
        order: which examples make up each batch.
        start: the first batch.
        size: the number of batches in a block.
        map_block: from a block's number and indices, int64 [at most size, batch_size], to a
            structure with a row for each batch.
        map_batch: from the number and indices, int64 [b], of one of the last batches, which may be
            shorter or longer, to the same structure without the leading axis.
    """
    end = order.num_batches
    even = order.num_even_batches
    blocked = _ENDLESS if even is None else even

    @_no_autograph
    def block(number: Tensor) -> Dataset:
        first = number * size
        count = tf.minimum(np.int64(size), blocked - first)
        return tf.data.Dataset.from_tensor_slices(
            map_block(number, order.full_batches(first, count))
        )

    first = start // size
    last = _ENDLESS // size if even is None else max(first, math.ceil(even / size))
    dataset = tf.data.Dataset.range(first, last).flat_map(block).skip(start - first * size)
    for number in range(max(start, blocked), blocked if end is None else end):
        indices = order.indices(number)
        dataset = dataset.concatenate(
            tf.data.Dataset.from_tensors((np.int64(number), indices)).map(map_batch)
        )
    return dataset


def _bucket(indices: Tensor, lengths: Tensor, seed: int, block: Tensor) -> Tensor:
    """Sort the examples of [n, batch_size] by length, row by row, and shuffle the rows."""
    ordered = tf.reshape(
        tf.gather(tf.reshape(indices, [-1]), tf.argsort(lengths, stable=True)), tf.shape(indices)
    )
    draws = tf.random.stateless_uniform(
        tf.shape(indices)[:1], seed=tf.stack([np.int64(mix_int(seed)), block])
    )
    return tf.gather(ordered, tf.argsort(draws, stable=True))
