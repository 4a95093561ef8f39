"""Turn whatever an `input_fn` returns into a `Pipeline`, and explain why its reading stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import tensorflow as tf

from plx_core.components.component import Component, parameter_names
from plx_core.data.batches import ElementSpec
from plx_core.data.pipeline import Pipeline
from plx_core.errors import DataError
from plx_core.types import Dataset, InputFn, Labels, Nested, Tensor

FEATURES = "features"
"""The name of a feature that has none."""


class DatasetPipeline(Pipeline):
    """A `tf.data.Dataset` that is batched already, of (features, labels) or of features alone.

    It resumes by skipping batches. That is exact if the data set gives the same order each time it
    is iterated, as a shuffle with a seed does, and it costs the reading of the skipped batches.
    """

    def __init__(self, dataset: Dataset) -> None:
        if isinstance(dataset.element_spec, tuple) and len(dataset.element_spec) > 2:
            raise DataError(
                "a data set yields (features, labels) or features alone; this one yields "
                f"{len(dataset.element_spec)} things"
            )
        self._dataset = dataset.map(tf.autograph.experimental.do_not_convert(_named))

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        features, labels = self._dataset.element_spec
        return features, labels

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None when it is unknown or infinite."""
        count = int(self._dataset.cardinality().numpy())
        return count if count >= 0 else None

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        return (self._dataset.skip(start) if start else self._dataset).prefetch(tf.data.AUTOTUNE)


def as_pipeline(input_fn: InputFn, mode: str, seed: int) -> Pipeline:
    """Return the pipeline that an input function, a pipeline, a component or a data set stands for.

    Args:
        input_fn: a function, without parameters or of `mode` or `seed`, that returns a `Pipeline`
            or a `tf.data.Dataset`; or one of these itself; or a component of the kind `pipelines`.
        mode: one of `Modes`.
        seed: the seed of a pipeline whose config has none.

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
            "an input_fn returns a plx_core.Pipeline or a tf.data.Dataset of (features, labels), "
            f"not {type(input_fn).__name__}"
        )
    return input_fn


def is_endless(pipeline: Pipeline) -> bool:
    """Return whether a pipeline is known to have no last batch."""
    if isinstance(pipeline, DatasetPipeline):
        return bool(pipeline.dataset().cardinality() == tf.data.INFINITE_CARDINALITY)
    return pipeline.num_batches is None


@contextmanager
def explained(pipeline: Pipeline) -> Iterator[None]:
    """Replace TensorFlow's error on reading a pipeline by the pipeline's own explanation."""
    try:
        yield
    except tf.errors.OutOfRangeError:
        raise
    except tf.errors.OpError as error:
        # The search for what is wrong with the data may read all of it.
        failure = pipeline.failure() if "Iterator::" in str(error) else None
        if failure is None:
            raise
        raise failure from error


def _named(*element: Nested) -> tuple[dict[str, Tensor], Labels]:
    features, labels = element if len(element) == 2 else (element[0], {})
    return (dict(features) if isinstance(features, Mapping) else {FEATURES: features}), labels
