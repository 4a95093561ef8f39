"""Arrays in memory as a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core.annotations import BatchSize, PositiveInt, PythonOnly
from plx_core.data.batches import Resident
from plx_core.data.indexed import IndexedPipeline
from plx_core.networks.graph import Graph, named_features
from plx_core.state import Modes
from plx_core.types import Nested, Tensor

Arrays: TypeAlias = Annotated[Nested, PythonOnly()]
"""An array, or arrays by name."""


DataFrame: TypeAlias = Any
"""A `pandas.DataFrame`."""
Series: TypeAlias = Any
"""A `pandas.Series`."""


class ArrayPipeline(IndexedPipeline):
    """Arrays in memory.

    Args:
        x: the features: arrays by name, or one array, which is called `features`; the first axis
            counts the examples.
        y: the labels: an array, arrays by name, or None.
        batch_size: the number of examples in a batch.
        num_epochs: the number of passes over the examples; when None, without end in training and
            one otherwise.
        shuffle: whether to reshuffle each epoch; when None, in training only.
        drop_remainder: whether to drop a short last batch.
        feature_processors: layers to apply to features: a graph for each feature by name.
        seed: the seed of the order and of random layers.
        mode: one of `Modes`.

    Example:
        >>> x, y = {"x": np.arange(6.0)}, np.arange(6)
        >>> pipeline = ArrayPipeline(x, y, batch_size=4, num_epochs=1, shuffle=False)
        >>> [labels.tolist() for _, labels in pipeline.dataset().as_numpy_iterator()]
        [[0, 1, 2, 3], [4, 5]]
    """

    def __init__(
        self,
        x: Arrays,
        y: Arrays = None,
        batch_size: BatchSize = 32,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        drop_remainder: bool = False,
        feature_processors: dict[str, Graph] | None = None,
        seed: int | None = None,
        mode: str = Modes.TRAIN,
    ) -> None:
        self._names_features = isinstance(x, Mapping)
        features = named_features(x)
        labels = dict(y) if isinstance(y, Mapping) else y
        parts = (features, {} if y is None else labels)
        num_examples = _count_rows(parts)
        self._parts = tf.nest.map_structure(Resident, parts)
        super().__init__(
            num_examples,
            tf.nest.map_structure(lambda part: part.spec, self._parts),
            batch_size=batch_size,
            num_epochs=num_epochs,
            shuffle=shuffle,
            drop_remainder=drop_remainder,
            feature_processors=feature_processors,
            seed=seed,
            mode=mode,
        )

    @property
    def names_features(self) -> bool:
        """Whether `x` is arrays by name."""
        return self._names_features

    def _prepare(self) -> bool:
        return True

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        features, labels = tf.nest.map_structure(lambda part: part.gather(indices), self._parts)
        return features, labels


def numpy_input_fn(
    x: Arrays,
    y: Arrays = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    seed: int | None = None,
) -> Callable[[], ArrayPipeline]:
    """Return an input function that feeds arrays to an `Estimator`.

    Args:
        x: the features: arrays by name, or one array.
        y: the labels: an array, arrays by name, or None.
        batch_size: the number of examples in a batch.
        num_epochs: the number of passes over the examples; None for no end.
        shuffle: whether to reshuffle each epoch; required.
        seed: the seed of the order.

    Raises:
        ValueError: `shuffle` is None.
    """
    if shuffle is None:
        raise ValueError(
            "numpy_input_fn: shuffle must be True (training) or False (evaluation, prediction)"
        )
    return cache(lambda: ArrayPipeline(x, y, batch_size, num_epochs, shuffle, seed=seed))


def pandas_input_fn(
    x: DataFrame,
    y: Series | None = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool | None = None,
    seed: int | None = None,
) -> Callable[[], ArrayPipeline]:
    """Return an input function that feeds the columns of a pandas data frame to an `Estimator`.

    Args:
        x: the features: a data frame, whose columns are features of one number, [batch].
        y: the labels: a series with the same rows, or None.
        batch_size: the number of examples in a batch.
        num_epochs: the number of passes over the examples; None for no end.
        shuffle: whether to reshuffle each epoch; required.
        seed: the seed of the order.

    Raises:
        ValueError: `shuffle` is None, or the labels have other rows than the features.
    """
    if y is not None and not np.array_equal(x.index, y.index):
        raise ValueError("pandas_input_fn: x and y have other rows; their indices differ")
    columns = {str(name): np.asarray(x[name]) for name in x.columns}
    labels = None if y is None else np.asarray(y)
    return numpy_input_fn(columns, labels, batch_size, num_epochs, shuffle, seed)


def _count_rows(parts: Nested) -> int:
    """Return the size of the first axis of all arrays.

    Raises:
        ValueError: an array has no axes, the sizes differ, or there are no arrays.
    """
    shapes = [np.shape(part) for part in tf.nest.flatten(parts)]
    if not shapes or any(len(shape) == 0 for shape in shapes):
        raise ValueError("x and y must be arrays with the examples along their first axis")
    if len({shape[0] for shape in shapes}) > 1:
        raise ValueError(
            f"x and y differ in their number of examples: shapes {', '.join(map(str, shapes))}"
        )
    return int(shapes[0][0])
