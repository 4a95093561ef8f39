"""What an `input_fn` may return, made one thing: a pipeline whose batches are (features by name, labels)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from plx_core.components.component import Component, parameter_names
from plx_core.data.pipeline import Pipeline
from plx_core.errors import DataError

FEATURES = "features"
"""The name of a feature that came without one."""


class DatasetPipeline(Pipeline):
    """A `tf.data.Dataset` of (features, labels), or of features alone, that is batched already.

    It resumes by skipping batches, which is exact when the data set gives the same order each time it is iterated (a shuffle with
    a seed does), and costs the reading of what is skipped.
    """

    def __init__(self, dataset: tf.data.Dataset) -> None:
        if isinstance(dataset.element_spec, tuple) and len(dataset.element_spec) > 2:
            raise DataError(
                f"a data set yields (features, labels) or features alone; this one yields {len(dataset.element_spec)} things"
            )
        self._dataset = dataset.map(tf.autograph.experimental.do_not_convert(_named))

    @property
    def element_spec(self) -> tuple[dict[str, tf.TensorSpec], Any]:
        """The features by name, and the labels."""
        features, labels = self._dataset.element_spec
        return features, labels

    @property
    def num_batches(self) -> int | None:
        """How many batches there are; None when the data set does not know, or never ends."""
        count = int(self._dataset.cardinality().numpy())
        return count if count >= 0 else None

    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on."""
        return (self._dataset.skip(start) if start else self._dataset).prefetch(tf.data.AUTOTUNE)


def as_pipeline(input_fn: Any, mode: str, seed: int) -> Pipeline:
    """The pipeline that an input function, a pipeline, a component or a data set stands for.

    Args:
        input_fn: a function of nothing or of `mode`, which returns a `Pipeline` or a `tf.data.Dataset`; or one of these itself; or
            a component of the kind `pipelines`.
        mode: one of `Modes`.
        seed: the seed of a pipeline that has none of its own.

    Raises:
        DataError: it is none of these.
    """
    if isinstance(input_fn, Component):
        input_fn = input_fn.build(mode=mode, seed=seed)
    elif callable(input_fn) and not isinstance(input_fn, (Pipeline, tf.data.Dataset)):
        supplied = {"mode": mode, "seed": seed}
        input_fn = input_fn(
            **{name: supplied[name] for name in parameter_names(input_fn) & supplied.keys()}
        )
    if isinstance(input_fn, tf.data.Dataset):
        input_fn = DatasetPipeline(input_fn)
    if not isinstance(input_fn, Pipeline):
        raise DataError(
            f"an input_fn returns a plx_core.Pipeline or a tf.data.Dataset of (features, labels), not {type(input_fn).__name__}"
        )
    return input_fn


def is_endless(pipeline: Pipeline) -> bool:
    """Whether a pipeline is known to have no last batch."""
    if isinstance(pipeline, DatasetPipeline):
        return bool(pipeline.dataset().cardinality() == tf.data.INFINITE_CARDINALITY)
    return pipeline.num_batches is None


@contextmanager
def explained(pipeline: Pipeline) -> Iterator[None]:
    """Raise what stopped a pipeline's reading, where TensorFlow only says that something did."""
    try:
        yield
    except tf.errors.OutOfRangeError:
        raise
    except tf.errors.OpError as error:
        # Looking for what is wrong with data may take reading all of it.
        failure = pipeline.failure() if "Iterator::" in str(error) else None
        if failure is None:
            raise
        raise failure from error


def _named(*element: Any) -> tuple[Any, Any]:
    features, labels = element if len(element) == 2 else (element[0], {})
    return (dict(features) if isinstance(features, Mapping) else {FEATURES: features}), labels
