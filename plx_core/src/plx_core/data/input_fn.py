"""Convert whatever an `input_fn` returns to a `Pipeline`, and explain errors on reading it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import tensorflow as tf

from plx_core.components.component import Component, parameter_names
from plx_core.data.batches import ElementSpec
from plx_core.data.pipeline import Pipeline
from plx_core.errors import DataError
from plx_core.networks.graph import named_features
from plx_core.types import Dataset, InputFn, Labels, Nested, Tensor


class DatasetPipeline(Pipeline):
    """A batched `tf.data.Dataset` of (features, labels), or of features alone.

    To resume, it reads and skips the batches before the first one needed. That is exact if the data
    set has the same order each time it is iterated, as with a shuffle that has a seed and
    `reshuffle_each_iteration=False`.
    """

    def __init__(self, dataset: Dataset) -> None:
        if isinstance(dataset.element_spec, tuple) and len(dataset.element_spec) > 2:
            raise DataError(
                "a data set yields (features, labels) or features alone; this one yields "
                f"a tuple of {len(dataset.element_spec)}"
            )
        spec = dataset.element_spec
        self._names_features = isinstance(spec[0] if isinstance(spec, tuple) else spec, Mapping)
        self._dataset = dataset.map(tf.autograph.experimental.do_not_convert(_named))

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        features, labels = self._dataset.element_spec
        return features, labels

    @property
    def names_features(self) -> bool:
        """Whether the data set has features by name."""
        return self._names_features

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None when it is unknown or infinite."""
        count = int(self._dataset.cardinality().numpy())
        return count if count >= 0 else None

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        return (self._dataset.skip(start) if start else self._dataset).prefetch(tf.data.AUTOTUNE)


def as_pipeline(input_fn: InputFn, mode: str, seed: int) -> Pipeline:
    """Return the pipeline that `input_fn` is, returns or describes.

    Args:
        input_fn: a `Pipeline` or a `tf.data.Dataset`; a function that returns one, with `mode` and
            `seed` as optional parameters; or a component of the kind `pipelines`.
        mode: one of `Modes`, for a function or a component.
        seed: the seed for a function, or for a component whose config has no seed.

    Raises:
        DataError: `input_fn` is none of these.
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
            "an input_fn must return a plx_core.Pipeline or a tf.data.Dataset of (features, "
            f"labels), not {type(input_fn).__name__}"
        )
    return input_fn


def is_endless(pipeline: Pipeline) -> bool:
    """Return whether a pipeline never ends; false if that is unknown."""
    if isinstance(pipeline, DatasetPipeline):
        return bool(pipeline.dataset().cardinality() == tf.data.INFINITE_CARDINALITY)
    return pipeline.num_batches is None


@contextmanager
def explained(pipeline: Pipeline) -> Iterator[None]:
    """Replace TensorFlow's error on reading a pipeline by `Pipeline.failure`, if it has one."""
    try:
        yield
    except tf.errors.OutOfRangeError:
        raise
    except tf.errors.OpError as error:
        # Errors from elsewhere are excluded first: `failure` may read all of the data.
        failure = pipeline.failure() if "Iterator::" in str(error) else None
        if failure is None:
            raise
        raise failure from error


def _named(*element: Nested) -> tuple[dict[str, Tensor], Labels]:
    features, labels = element if len(element) == 2 else (element[0], {})
    return named_features(features), labels
