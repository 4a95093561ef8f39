"""Batches as a `tf.data.Dataset`, read in the order of an `Order` from any batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from plx_core.data.order import Order, mix_int
from plx_core.types import Dataset, Nested, Tensor

ElementSpec: TypeAlias = tuple[dict[str, tf.TensorSpec], Nested]
"""The `tf.TensorSpec`s of a batch: (features by name, labels)."""

Read: TypeAlias = Callable[[Tensor], Nested]
"""A function from the indices of examples, int64 [b], to a batch with a leading axis of b."""

MOST_BATCHES = 64
"""The largest number of batches in a block; a block is computed at once."""

MOST_INDICES = 2**16
"""About the largest number of examples in a block of indices."""

MOST_BYTES = 2**21
"""About the largest size of a block gathered from memory, since few calls are faster than many."""

_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""TensorFlow's name for a resource that lives as long as its handle."""

_STRING_BYTES = 64
_ENDLESS = np.iinfo(np.int64).max

_no_autograph = tf.autograph.experimental.do_not_convert
"""Skip AutoGraph's conversion of a dataset's function, which takes long and has no effect."""


class Resident:
    """An array that datasets gather rows from.

    It is a resource: a tensor that a dataset's function captures is copied into every graph, and a
    graph may not exceed 2 GB.
    """

    def __init__(self, values: Nested) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            tensor = tf.convert_to_tensor(values)
            self.spec = tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
            self._handle = tf.raw_ops.VarHandleOp(
                dtype=tensor.dtype, shape=tensor.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(resource=self._handle, value=tensor)

    def gather(self, indices: Tensor) -> Tensor:
        """Return the rows, [b, …], at int64 [b] indices."""
        rows = tf.raw_ops.ResourceGather(
            resource=self._handle, indices=indices, dtype=self.spec.dtype
        )
        return tf.ensure_shape(rows, self.spec.shape)


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
        order: the examples of each batch.
        read: returns the batch of examples from their indices, int64 [b].
        start: the number of the first batch.
        process: returns a processed batch from the batch's number and contents.
        parallel: read batches on several threads; gathering from an array is faster without.
        lengths: the length of each example, to put examples of similar lengths into a batch. The
            examples of up to `MOST_BATCHES` batches are sorted by length, divided into batches
            again, and these are shuffled.
        example_bytes: the size of an example, if `read` only gathers rows of one shape. `read` is
            then called for several batches at once. None if the shape of an example depends on its
            batch, or if reading takes longer than gathering.
    """

    @_no_autograph
    def read_batch(number: Tensor, indices: Tensor) -> Nested:
        batch = read(indices)
        return batch if process is None else process(number, batch)

    @_no_autograph
    def read_block(number: Tensor, indices: Tensor) -> Nested:
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
        dataset = _blocks(order, start, size, read_block, read_batch)
    else:
        calls = tf.data.AUTOTUNE if parallel else None
        dataset = _numbered_indices(order, start, lengths).map(
            read_batch, num_parallel_calls=calls, deterministic=True if parallel else None
        )
    return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)


def bytes_per_example(spec: ElementSpec) -> int | None:
    """Return the size of an example, in bytes; None if its shape depends on the batch."""
    parts = tf.nest.flatten(spec)
    if not all(part.shape[1:].is_fully_defined() for part in parts):
        return None
    return sum(
        int(part.shape[1:].num_elements())
        * (_STRING_BYTES if part.dtype == tf.string else part.dtype.size)
        for part in parts
    )


def _numbered_indices(order: Order, start: int, lengths: Resident | None) -> Dataset:
    """Return (number, indices) of each batch from number `start` on, computed in blocks."""
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
    """Return the number of batches in a block of about `examples` examples."""
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
        order: the examples of each batch.
        start: the number of the first batch.
        size: the number of batches in a block.
        map_block: returns a structure with a row for each batch of a block, from the block's number
            and indices, int64 [at most size, batch_size].
        map_batch: returns the same structure without the leading axis for one of the last batches,
            which may be shorter or longer, from the batch's number and indices, int64 [b].
    """
    if order.num_batches is None or order.num_even_batches is None:
        end = even = _ENDLESS
        num_blocks = _ENDLESS // size
    else:
        end = order.num_batches
        even = order.num_even_batches
        num_blocks = math.ceil(even / size)

    @_no_autograph
    def block(number: Tensor) -> Dataset:
        first = number * size
        count = tf.minimum(np.int64(size), even - first)
        return tf.data.Dataset.from_tensor_slices(
            map_block(number, order.full_batches(first, count))
        )

    first_block, offset = divmod(start, size)
    blocks = tf.data.Dataset.range(first_block, max(first_block, num_blocks))
    dataset = blocks.flat_map(block).skip(offset)
    for number in range(max(start, even), end):
        batch = tf.data.Dataset.from_tensors((np.int64(number), order.indices(number)))
        dataset = dataset.concatenate(batch.map(map_batch))
    return dataset


def _bucket(indices: Tensor, lengths: Tensor, seed: int, block: Tensor) -> Tensor:
    """Sort the examples of a block, int64 [n, batch_size], by length, and shuffle the batches."""
    ordered = tf.reshape(
        tf.gather(tf.reshape(indices, [-1]), tf.argsort(lengths, stable=True)), tf.shape(indices)
    )
    draws = tf.random.stateless_uniform(
        tf.shape(indices)[:1], seed=tf.stack([np.int64(mix_int(seed)), block])
    )
    return tf.gather(ordered, tf.argsort(draws, stable=True))
