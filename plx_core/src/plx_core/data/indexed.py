"""Base classes of pipelines with an `Order`, and of those that read examples by their index."""

from __future__ import annotations

import copy
import inspect
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, TypedDict, Unpack, get_type_hints

import tensorflow as tf

from plx_core.annotations import BatchSize, PositiveInt
from plx_core.data.batches import ElementSpec, Read, Resident, batches, bytes_per_example
from plx_core.data.feature_processors import Processors, process_fn
from plx_core.data.order import make_order
from plx_core.data.pipeline import LabelCheck, Pipeline
from plx_core.errors import CorruptData
from plx_core.networks.graph import Graph
from plx_core.state import Modes
from plx_core.types import Array, Dataset, Nested, Network, Tensor

BLOCK = 256
"""The number of examples to read at once in the search for one that cannot be read."""
TRACE = re.compile(r"\s*\[(\[\{\{|Op:).*|\{\{[^}]*\}\}\s*", re.DOTALL)
"""The names and traces of operations that TensorFlow adds to its messages."""


class BatchOptions(TypedDict, total=False):
    """The options of a pipeline whose batches follow an order; see `OrderedPipeline`."""

    batch_size: BatchSize
    num_epochs: PositiveInt | None
    shuffle: bool | None
    drop_remainder: bool
    feature_processors: dict[str, Graph] | None
    seed: int | None
    mode: str


def _spell_out_options(cls: type) -> None:
    """Replace `**options` in the signature of a constructor by the options of its parent."""
    init: Any = cls.__init__  # type: ignore[misc]
    *own, last = inspect.signature(init).parameters.values()
    if last.kind is not last.VAR_KEYWORD:
        return
    parent: Any = next(
        vars(base)["__init__"] for base in cls.__mro__[1:] if "__init__" in vars(base)
    )
    hints: Mapping[str, Any] = get_type_hints(parent, include_extras=True)
    names = {parameter.name for parameter in own}
    options = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(parent).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in names
    ]
    init.__signature__ = inspect.signature(init).replace(parameters=[*own, *options])
    init.__annotations__.pop(last.name, None)
    init.__annotations__ |= {option.name: option.annotation for option in options}


class OrderedPipeline(Pipeline):
    """A pipeline whose batches follow an `Order`.

    A subclass passes `**options: Unpack[BatchOptions]` on to this constructor. Each option then
    appears in the signature of the subclass, which is the schema of its config.

    Args:
        num_examples: the number of examples.
        spec: the features and labels before processing.
        batch_size: the number of examples in a batch.
        num_epochs: the number of passes over the examples; when None, without end in training and
            one otherwise.
        shuffle: whether to reshuffle each epoch; when None, in training only.
        drop_remainder: whether to drop a short last batch.
        feature_processors: layers to apply to features: a graph for each feature by name.
        seed: the seed of the order and of random layers.
        mode: one of `Modes`.
    """

    def __init__(
        self,
        num_examples: int,
        spec: ElementSpec,
        *,
        batch_size: BatchSize = 64,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        drop_remainder: bool = False,
        feature_processors: dict[str, Graph] | None = None,
        seed: int | None = None,
        mode: str = Modes.TRAIN,
    ) -> None:
        self._order = make_order(
            num_examples, batch_size, num_epochs, shuffle, drop_remainder, seed, mode
        )
        self._spec = spec
        self._processors: Processors | None = None
        if feature_processors:
            self._processors = Processors(feature_processors, spec[0], mode, self._order.seed)

    def __init_subclass__(cls, **params: Any) -> None:
        """List the inherited options in the signature of a subclass's constructor."""
        super().__init_subclass__(**params)
        if "__init__" in vars(cls):
            _spell_out_options(cls)

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        features, labels = self._spec
        return (self._processors.features, labels) if self._processors else (features, labels)

    @property
    def num_batches(self) -> int | None:
        """The number of batches in all epochs; None when they never end."""
        return self._order.num_batches

    def shard(self, worker: int, num_workers: int) -> Self:
        """Return the part of one of several workers; see `Pipeline.shard`."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def processing_network(self) -> Network | None:
        """Return the feature processors as a network."""
        return self._processors.network() if self._processors else None


class IndexedPipeline(OrderedPipeline):
    """A pipeline over examples that are read by their index, in any order.

    Args:
        num_examples: the number of examples.
        spec: the features and labels before processing.
        lengths: the length of each example, int64 [n], to batch examples of similar lengths; when
            None, examples are batched regardless of length.
        options: see `OrderedPipeline`.
    """

    def __init__(
        self,
        num_examples: int,
        spec: ElementSpec,
        lengths: Array | None = None,
        **options: Unpack[BatchOptions],
    ) -> None:
        super().__init__(num_examples, spec, **options)
        self._lengths = None if lengths is None else Resident(lengths)

    @abstractmethod
    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        """Return the (features, labels) at indices, int64 [b]; traced into a graph."""

    def _prepare(self) -> bool:
        """Load data into memory if needed; return whether `_read` only gathers rows from memory."""
        return False

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        return self._batches(self._read, start)

    def checked_dataset(self, check: LabelCheck, start: int = 0) -> Dataset:
        """Return the batches from number `start` on, each with its labels passed through a check.

        The check is part of reading, where it takes less time than after it. The place of a batch
        is the indices of its examples.
        """
        if type(self).dataset is not IndexedPipeline.dataset:
            return super().checked_dataset(check, start)

        def read(indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
            features, labels = self._read(indices)
            return features, check(indices, labels)

        return self._batches(read, start)

    def _batches(self, read: Read, start: int) -> Dataset:
        try:
            gathers = self._prepare()
        except tf.errors.OpError as error:
            raise self.failure() or error from error
        process = process_fn(self._processors)
        return batches(
            self._order,
            read,
            start,
            process=process,
            parallel=not gathers or process is not None,
            lengths=self._lengths,
            example_bytes=bytes_per_example(self._spec) if gathers else None,
        )

    def failure(self) -> Exception | None:
        """Find the first example that cannot be read, after reading has failed."""
        read = tf.function(self._read, input_signature=[tf.TensorSpec([None], tf.int64)])
        count = self._order.num_examples
        for first in range(0, count, BLOCK):
            end = min(first + BLOCK, count)
            if _error(read, first, end) is None:
                continue
            for index in range(first, end):
                error = _error(read, index, index + 1)
                if error is not None:
                    return CorruptData(f"{self._locate(index)}: {error}")
        return None

    def locate(self, place: Array, row: int) -> str:
        """Describe where the example in a row of a batch comes from; see `checked_dataset`."""
        return self._locate(int(place[row])) if place.ndim else super().locate(place, row)

    def _locate(self, index: int) -> str:
        """Describe where an example comes from."""
        return f"example {index}"


def _error(read: Callable[[Tensor], Nested], first: int, end: int) -> str | None:
    """Return TensorFlow's error for examples `first` to `end`; None if they can be read."""
    try:
        read(tf.range(first, end, dtype=tf.int64))
    except tf.errors.OpError as error:
        # The traceback of a Python function ends with its exception, after the exception's class.
        reason = TRACE.sub("", error.message).rpartition("\n")[2].strip()
        return reason.removeprefix("plx_core.errors.CorruptData: ")
    return None
