"""The order in which examples are visited, batches in that order, and arrays as inputs.

An order is a function: which examples make up batch number k follows from the seed, the size of the data and k alone.
Nothing has to be remembered to go on from a batch but its number.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import PositiveInt
from plx_core.data.batches import Arrays, ElementSpec, Resident, batches, bytes_per_example
from plx_core.data.feature_processors import Processors, processing
from plx_core.data.order import make_order
from plx_core.data.pipeline import Pipeline
from plx_core.networks.graph import Graph
from plx_core.state import Modes


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


def _count_rows(parts: Any) -> int:
    shapes = [np.shape(part) for part in tf.nest.flatten(parts)]
    if not shapes or any(len(shape) == 0 for shape in shapes):
        raise ValueError("x and y are arrays with the examples along their first axis")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"x and y differ in their number of examples: shapes {', '.join(map(str, shapes))}"
        )
    return int(shapes[0][0])
