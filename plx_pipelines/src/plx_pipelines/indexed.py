"""What pipelines have in common that can read any example by its number."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import keras
import tensorflow as tf

from plx_core.graphs import Graph
from plx_core.inputs import ElementSpec, Order, Processors, Resident, batches, processing
from plx_core.interfaces import Pipeline


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
        self, order: Order, spec: ElementSpec, feature_processors: Mapping[str, Graph] | None, mode: str, lengths: Any = None
    ) -> None:
        self._order = order
        self._spec = spec
        self._processors = Processors(feature_processors, spec[0], mode, order.seed) if feature_processors else None
        self._lengths = None if lengths is None else Resident(lengths)

    @abstractmethod
    def _read(self, indices: tf.Tensor) -> Any:
        """The (features, labels) of the examples at int64 [b] indices; traced into a graph."""

    def _prepare(self) -> bool:
        """Load what is to be in memory; whether reading is so cheap that threads would slow it down."""
        return False

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
        parallel = not self._prepare() or process is not None
        return batches(self._order, self._read, start, process=process, parallel=parallel, lengths=self._lengths)

    def shard(self, worker: int, num_workers: int) -> Self:
        """The part of one of several workers; see `Pipeline.shard`."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def processing_network(self) -> keras.Model | None:
        """The feature processors as a network."""
        return self._processors.network() if self._processors else None
