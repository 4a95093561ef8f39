"""The order in which examples are visited, batches in that order, and arrays as inputs.

An order is a function: which examples make up batch number k follows from the seed, the size of the data and k alone.
Nothing has to be remembered to go on from a batch but its number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core.annotations import PythonOnly
from plx_core.data.order import ENDLESS, Order, mix_int

Arrays: TypeAlias = Annotated[Any, PythonOnly()]
ElementSpec: TypeAlias = tuple[dict[str, tf.TensorSpec], Any]
"""The `tf.TensorSpec`s of a batch: (features by name, labels)."""
Read: TypeAlias = Callable[[tf.Tensor], Any]
"""Indices of examples, int64 [b], to (features, labels) with a leading axis of b."""

_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""TensorFlow's name for a resource that lives as long as its handle."""
MOST_BATCHES, MOST_INDICES = 64, 2**16
"""The order of at most so many batches, and of about so many examples, is found at once."""
MOST_BYTES = 2**21
"""So much is gathered from memory at once: several batches, where they are small, since a call costs more than their copying."""
_STRING_BYTES = 64
_as_it_stands = tf.autograph.experimental.do_not_convert
"""A function of a data set's that AutoGraph need not rewrite, which would take long."""


def batches(
    order: Order,
    read: Read,
    start: int = 0,
    *,
    process: Callable[..., Any] | None = None,
    parallel: bool = True,
    lengths: Resident | None = None,
    example_bytes: int | None = None,
) -> tf.data.Dataset:
    """The batches of an order from number `start` on; reaching it costs nothing.

    Args:
        order: which examples make up each batch.
        read: from the indices of examples, int64 [b], to a batch.
        start: the first batch.
        process: from a batch's number and contents to what takes its place.
        parallel: whether batches are read on several threads; an array is gathered quicker than threads are woken.
        lengths: the length of each example, if batches are to hold examples of like lengths: among those of some 64 batches, the
            shortest make up one batch, the next shortest another, and so on; these batches then come in a random order.
        example_bytes: how large an example is, if `read` merely gathers rows of one shape: it is then called for several batches at
            once. None where an example's shape depends on the batch it is in, or reading it takes longer.
    """

    @_as_it_stands
    def make(number: tf.Tensor, indices: tf.Tensor) -> Any:
        batch = read(indices)
        return batch if process is None else process(number, batch)

    @_as_it_stands
    def make_block(number: tf.Tensor, indices: tf.Tensor) -> Any:
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
    """How many bytes an example has in a batch of this specification; None where that depends on the batch."""
    parts = tf.nest.flatten(spec)
    if not all(part.shape[1:].is_fully_defined() for part in parts):
        return None
    return sum(
        int(part.shape[1:].num_elements())
        * (_STRING_BYTES if part.dtype == tf.string else part.dtype.size)
        for part in parts
    )


def _numbered_indices(order: Order, start: int, lengths: Resident | None) -> tf.data.Dataset:
    """(number, indices) of each batch from `start` on; those of many batches are found at once, which costs little more than one."""
    size = _block_size(order, MOST_INDICES)

    @_as_it_stands
    def number_block(block: tf.Tensor, indices: tf.Tensor) -> Any:
        if lengths is not None:
            indices = _bucket(indices, lengths.gather(tf.reshape(indices, [-1])), order.seed, block)
        return block * size + tf.range(tf.shape(indices, tf.int64)[0]), indices

    return _blocks(
        order, start, size, number_block, _as_it_stands(lambda number, indices: (number, indices))
    )


def _block_size(order: Order, examples: int) -> int:
    """How many batches of about so many examples are taken together."""
    return max(1, min(MOST_BATCHES, examples // order.batch_size))


def _blocks(
    order: Order, start: int, size: int, together: Callable[..., Any], alone: Callable[..., Any]
) -> tf.data.Dataset:
    """The batches of an order from `start` on, found `size` at once.

    Args:
        order: which examples make up each batch.
        start: the first batch.
        size: how many batches make up a block.
        together: from a block's number and its indices, int64 [at most size, batch_size], to what it yields, a row for each batch.
        alone: the same for one of the last batches, which may be shorter or longer: from its number and its indices, int64 [b].
    """
    end, even = order.num_batches, order.num_even_batches
    blocked = ENDLESS if even is None else even

    @_as_it_stands
    def block(number: tf.Tensor) -> tf.data.Dataset:
        first = number * size
        count = tf.minimum(np.int64(size), blocked - first)
        return tf.data.Dataset.from_tensor_slices(
            together(number, order.full_batches(first, count))
        )

    first = start // size
    last = max(first, blocked // size if even is None else -(-blocked // size))
    dataset = tf.data.Dataset.range(first, last).flat_map(block).skip(start - first * size)
    for number in range(
        max(start, blocked), blocked if end is None else end
    ):  # the last one or two
        dataset = dataset.concatenate(
            tf.data.Dataset.from_tensors((np.int64(number), order.indices(number))).map(alone)
        )
    return dataset


def _bucket(indices: tf.Tensor, lengths: tf.Tensor, seed: int, block: tf.Tensor) -> tf.Tensor:
    """The examples of [n, batch_size] sorted by their length, row by row, and the rows in a random order."""
    ordered = tf.reshape(
        tf.gather(tf.reshape(indices, [-1]), tf.argsort(lengths, stable=True)), tf.shape(indices)
    )
    draws = tf.random.stateless_uniform(
        tf.shape(indices)[:1], seed=tf.stack([np.int64(mix_int(seed)), block])
    )
    return tf.gather(ordered, tf.argsort(draws, stable=True))


class Resident:
    """An array that datasets gather rows from.

    It is held as a resource, since what a dataset's function captures as a tensor is copied into every graph, and a
    graph may not exceed 2 GB.
    """

    def __init__(self, values: Any) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            tensor = tf.convert_to_tensor(values)
            self.spec = tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
            self._handle = tf.raw_ops.VarHandleOp(
                dtype=tensor.dtype, shape=tensor.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(resource=self._handle, value=tensor)

    def gather(self, indices: tf.Tensor) -> tf.Tensor:
        """The rows at int64 [b] indices: [b, …]."""
        rows = tf.raw_ops.ResourceGather(
            resource=self._handle, indices=indices, dtype=self.spec.dtype
        )
        return tf.ensure_shape(rows, self.spec.shape)
