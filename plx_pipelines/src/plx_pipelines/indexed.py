"""What pipelines have in common that can read any example by its number, and those that read record files."""

from __future__ import annotations

import copy
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self

import keras
import tensorflow as tf

from plx_core import (
    ElementSpec,
    Graph,
    Order,
    Pipeline,
    Processors,
    Resident,
    batches,
    bytes_per_example,
    processing,
)
from plx_core.errors import CorruptData
from plx_pipelines.sources import RecordSource

_AT_ONCE = 256
_TRACE = re.compile(r"\s*\[(\[\{\{|Op:).*|\{\{[^}]*\}\}\s*", re.DOTALL)
"""What TensorFlow puts around its messages."""


class IndexedPipeline(Pipeline):
    """A pipeline over numbered examples: an order, a way to read, and the processors of features.

    Args:
        order: which examples make up each batch.
        spec: the features and labels before they are processed.
        feature_processors: layers applied to features, a graph for each feature by name.
        mode: one of `Modes`.
        lengths: the length of each example, int64 [n], if batches are to hold examples of like lengths.
    """

    def __init__(
        self,
        order: Order,
        spec: ElementSpec,
        feature_processors: Mapping[str, Graph] | None,
        mode: str,
        lengths: Any = None,
    ) -> None:
        self._order = order
        self._spec = spec
        self._processors = (
            Processors(feature_processors, spec[0], mode, order.seed)
            if feature_processors
            else None
        )
        self._lengths = None if lengths is None else Resident(lengths)

    @abstractmethod
    def _read(self, indices: tf.Tensor) -> Any:
        """The (features, labels) of the examples at int64 [b] indices; traced into a graph."""

    def _prepare(self) -> bool:
        """Load what is to be in memory; whether reading is so cheap that threads would slow it down."""
        return False

    def _prepared(self) -> bool:
        try:
            return self._prepare()
        except tf.errors.OpError as error:
            raise self.failure() or error from error

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
        gathers = self._prepared()
        parallel = not gathers or process is not None
        example_bytes = bytes_per_example(self._spec) if gathers else None
        return batches(
            self._order,
            self._read,
            start,
            process=process,
            parallel=parallel,
            lengths=self._lengths,
            example_bytes=example_bytes,
        )

    def shard(self, worker: int, num_workers: int) -> Self:
        """The part of one of several workers; see `Pipeline.shard`."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def failure(self) -> Exception | None:
        """Why reading stopped: the first example that cannot be read, which is looked for only then."""
        read = tf.function(self._read, input_signature=[tf.TensorSpec([None], tf.int64)])
        count = self._order.num_examples
        for first in range(0, count, _AT_ONCE):
            if _error(read, first, min(first + _AT_ONCE, count)) is not None:
                return self._unreadable(read, range(first, min(first + _AT_ONCE, count)))
        return None

    def _unreadable(self, read: Callable[[tf.Tensor], Any], among: range) -> Exception | None:
        errors = ((number, _error(read, number, number + 1)) for number in among)
        return next(
            (
                CorruptData(f"{self._locate(number)}: {error}")
                for number, error in errors
                if error is not None
            ),
            None,
        )

    def _locate(self, number: int) -> str:
        """Where the example of this number comes from, for a person."""
        return f"example {number}"

    def processing_network(self) -> keras.Model | None:
        """The feature processors as a network."""
        return self._processors.network() if self._processors else None


class RecordPipeline(IndexedPipeline):
    """A pipeline over the records of TFRecord files.

    Args:
        source: the records.
        further: as for `IndexedPipeline`.
    """

    def __init__(self, source: RecordSource, *further: Any) -> None:
        super().__init__(*further)
        self._source = source

    def counters(self) -> Mapping[str, int]:
        """How many records were left out as damaged, and how many bytes with them."""
        return self._source.counters()

    def failure(self) -> Exception | None:
        """Why reading stopped: a damaged record, or the first intact one whose content is not what it should be."""
        return self._source.failure or super().failure()

    def _prepare(self) -> bool:
        self._source.load()
        return False

    def _locate(self, number: int) -> str:
        return self._source.locate(number)


def _error(read: Callable[[tf.Tensor], Any], first: int, end: int) -> str | None:
    """What TensorFlow says of the examples from `first` up to `end`; None if they can be read."""
    try:
        read(tf.range(first, end, dtype=tf.int64))
    except tf.errors.OpError as error:
        return _TRACE.sub("", error.message).rpartition("\n")[2].strip()
    return None
