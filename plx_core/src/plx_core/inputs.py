"""The order in which examples are visited, batches in that order, and arrays as inputs.

An order is a function: which examples make up batch number k follows from the seed, the size of the data and k alone.
Nothing has to be remembered to go on from a batch but its number.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core.annotations import PositiveInt, PythonOnly
from plx_core.errors import DataError
from plx_core.graphs import Graph, as_graph_fn, build_network, symbolic_inputs
from plx_core.interfaces import Modes, Pipeline

Arrays: TypeAlias = Annotated[Any, PythonOnly()]
ElementSpec: TypeAlias = tuple[dict[str, tf.TensorSpec], Any]
Read: TypeAlias = Callable[[tf.Tensor], Any]
"""Indices of examples, int64 [b], to (features, labels) with a leading axis of b."""

_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""TensorFlow's name for a resource that lives as long as its handle."""
MOST_BATCHES, MOST_INDICES = 64, 2**16
"""The order of at most so many batches, and of about so many examples, is found at once."""
MOST_BYTES = 2**21
"""So much is gathered from memory at once: several batches, where they are small, since a call costs more than their copying."""
_STRING_BYTES = 64
_ENDLESS = np.iinfo(np.int64).max
_as_it_stands = tf.autograph.experimental.do_not_convert
"""A function of a data set's that AutoGraph need not rewrite, which would take long."""


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
    blocked = _ENDLESS if even is None else even

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
        tf.shape(indices)[:1], seed=tf.stack([np.int64(_mix_int(seed)), block])
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


class Processors:
    """Layers that a pipeline applies to its features, a graph for each feature.

    Layers that draw random numbers draw them from the pipeline's seed and the number of the batch, and only in training.
    """

    def __init__(
        self, graphs: Mapping[str, Any], features: Mapping[str, tf.TensorSpec], mode: str, seed: int
    ) -> None:
        missing = sorted(set(graphs) - set(features))
        if missing:
            raise ValueError(
                f"feature_processors name {', '.join(missing)}; the features are {', '.join(features)}"
            )
        self._training = Modes.is_train(mode)
        self._seed = seed
        self._raw = dict(features)
        with tf.init_scope(), tf.device("CPU:0"):
            self._networks = {
                name: build_network(as_graph_fn(graph), features, mode, f"{name}_processor")
                for name, graph in graphs.items()
            }
        self.features = dict(features)
        for name, network in self._networks.items():
            if isinstance(network.output, dict):
                raise ValueError(
                    f"feature_processors: {name} has several outputs; a processor yields the one feature it is named after"
                )
            self.features[name] = tf.TensorSpec(network.output.shape, network.output.dtype)

    def __call__(
        self, number: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The features of batch `number`, processed."""
        processed = dict(features)
        for index, (name, network) in enumerate(self._networks.items()):
            state = [
                self._state(variable, number, index, place)
                for place, variable in enumerate(network.non_trainable_variables)
            ]
            outputs, _ = network.stateless_call(
                network.trainable_variables,
                state,
                self._inputs(name, features),
                training=self._training,
            )
            processed[name] = outputs
        return processed

    def network(self) -> keras.Model:
        """All of it as one network, from the features as they lie in the data to those that the pipeline yields."""
        inputs = symbolic_inputs(self._raw)
        outputs = {
            name: self._networks[name](self._inputs(name, inputs))
            if name in self._networks
            else tensor
            for name, tensor in inputs.items()
        }
        return keras.Model(inputs, outputs, name="processing")

    def _inputs(self, name: str, features: Mapping[str, Any]) -> dict[str, Any]:
        return {tensor.name: features[tensor.name] for tensor in self._networks[name].inputs}

    def _state(self, variable: Any, number: tf.Tensor, network: int, place: int) -> Any:
        if "seed_generator_state" not in variable.path:
            return variable
        seed = [_mix_int(self._seed * 1_000_003 + network * 1_009 + place), number]
        bits = tf.random.stateless_uniform(
            [2], seed=tf.stack(seed), minval=None, maxval=None, dtype=tf.uint32
        )
        return tf.cast(bits, variable.dtype)


class ArrayPipeline(Pipeline):
    """Arrays in memory.

    Args:
        x: features: arrays by name, or one array, which is called `features`; each with the examples along its first axis.
        y: labels: an array, arrays by name, or None.
        batch_size: examples in a batch.
        num_epochs: how often the examples are gone through; None for without end in training, and once otherwise.
        shuffle: whether each epoch has an order of its own; None for in training only.
        drop_remainder: leave out the last batch if it is short.
        feature_processors: layers applied to features, a graph for each feature by name.
        seed: what the order and random layers follow from.
        mode: one of `Modes`.

    Example:
        >>> pipeline = ArrayPipeline({"x": np.arange(6.0)}, np.arange(6), batch_size=4, num_epochs=1, shuffle=False)
        >>> [labels.tolist() for _, labels in pipeline.dataset().as_numpy_iterator()]
        [[0, 1, 2, 3], [4, 5]]
    """

    def __init__(
        self,
        x: Arrays,
        y: Arrays = None,
        batch_size: PositiveInt = 32,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        drop_remainder: bool = False,
        feature_processors: dict[str, Graph] | None = None,
        seed: int | None = None,
        mode: str = Modes.TRAIN,
    ) -> None:
        features = dict(x) if isinstance(x, Mapping) else {"features": x}
        parts = (features, {} if y is None else dict(y) if isinstance(y, Mapping) else y)
        self._order = make_order(
            _count_rows(parts), batch_size, num_epochs, shuffle, drop_remainder, seed, mode
        )
        self._parts = tf.nest.map_structure(Resident, parts)
        self._spec: ElementSpec = tf.nest.map_structure(lambda part: part.spec, self._parts)
        self._processors = (
            Processors(feature_processors, self._spec[0], mode, self._order.seed)
            if feature_processors
            else None
        )

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        return (self._processors.features if self._processors else self._spec[0]), self._spec[1]

    @property
    def num_batches(self) -> int | None:
        """How many batches there are in all epochs; None when they never end."""
        return self._order.num_batches

    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on."""
        process = processing(self._processors)
        return batches(
            self._order,
            self._read,
            start,
            process=process,
            parallel=process is not None,
            example_bytes=bytes_per_example(self._spec),
        )

    def processing_network(self) -> keras.Model | None:
        """The feature processors as a network."""
        return self._processors.network() if self._processors else None

    def shard(self, worker: int, num_workers: int) -> ArrayPipeline:
        """The part of one of several workers; see `Pipeline.shard`."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def _read(self, indices: tf.Tensor) -> Any:
        return tf.nest.map_structure(lambda part: part.gather(indices), self._parts)


def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    seed: int | None = None,
) -> Callable[[], ArrayPipeline]:
    """A function that feeds arrays to an `Estimator`.

    Args:
        x: features: arrays by name, or one array.
        y: labels: an array, arrays by name, or None.
        batch_size: examples in a batch.
        num_epochs: how often the examples are gone through; None for without end.
        shuffle: whether each epoch has an order of its own; it has to be said.
        seed: what the order follows from.

    Raises:
        ValueError: `shuffle` was not said.
    """
    if shuffle is None:
        raise ValueError(
            "numpy_input_fn: shuffle has to be True (training) or False (evaluation, prediction)"
        )
    return cache(lambda: ArrayPipeline(x, y, batch_size, num_epochs, shuffle, seed=seed))


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


def processing(processors: Processors | None) -> Callable[[tf.Tensor, Any], Any] | None:
    """What `batches` takes as `process`: the processors applied to the features of a (features, labels) pair."""
    if processors is None:
        return None
    return lambda number, batch: (processors(number, batch[0]), batch[1])


def _count_rows(parts: Any) -> int:
    shapes = [np.shape(part) for part in tf.nest.flatten(parts)]
    if not shapes or any(len(shape) == 0 for shape in shapes):
        raise ValueError("x and y are arrays with the examples along their first axis")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"x and y differ in their number of examples: shapes {', '.join(map(str, shapes))}"
        )
    return int(shapes[0][0])


# The finalizer of SplitMix64 (Steele, Lea & Flood 2014), for tensors and for Python's integers.
_ROUNDS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1))
_MASK = 0xFFFFFFFFFFFFFFFF


def _mix(words: tf.Tensor) -> tf.Tensor:
    for shift, factor in _ROUNDS:
        words = tf.bitwise.bitwise_xor(
            words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
        ) * tf.constant(factor, tf.uint64)
    return tf.bitcast(words, tf.int64)


def _mix_int(word: int) -> int:
    word &= _MASK
    for shift, factor in _ROUNDS:
        word = ((word ^ word >> shift) * factor) & _MASK
    return word - (1 << 64) if word >> 63 else word
