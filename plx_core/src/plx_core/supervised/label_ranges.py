"""The valid values of labels: compared with what the data says of itself, and with each label."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from attrs import define, field

from plx_core.data.batches import ElementSpec
from plx_core.data.pipeline import Pipeline
from plx_core.errors import ComponentError, CorruptData
from plx_core.models.spec import LabelRange
from plx_core.types import Array, Dataset, Labels, Network, Tensor


def check_num_classes(pipeline: Pipeline, ranges: Mapping[str, LabelRange]) -> None:
    """Raise an error if data has more classes than a model.

    Raises:
        ComponentError: it has.
    """
    for name, limits in ranges.items():
        count = pipeline.num_classes.get(name)
        if count is not None and limits.is_index and count > limits.highest + 1:
            raise ComponentError(
                f"the data has {count} classes, label {name} from 0 to {count - 1}; "
                f"the model has {limits.highest + 1}"
            )


def with_valid_labels(pipeline: Pipeline, ranges: Mapping[str, LabelRange]) -> Pipeline:
    """Return the same pipeline, which fails at the first label that is out of its range."""
    return ValidLabels(pipeline, ranges) if ranges else pipeline


@define(eq=False)
class ValidLabels(Pipeline):
    """The batches of a pipeline, up to the first label that is out of its range.

    Args:
        pipeline: the pipeline.
        ranges: the ranges, by the name of the label; a label without a name has any.
    """

    pipeline: Pipeline
    ranges: Mapping[str, LabelRange]
    _error: CorruptData | None = field(default=None, init=False)

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        return self.pipeline.element_spec

    @property
    def num_batches(self) -> int | None:
        """The number of batches in all epochs; None when they never end."""
        return self.pipeline.num_batches

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of classes, by the name of the label."""
        return self.pipeline.num_classes

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        return self.pipeline.checked_dataset(self._check, start)

    def counters(self) -> Mapping[str, int]:
        """Return counts from reading."""
        return self.pipeline.counters()

    def shard(self, worker: int, num_workers: int) -> Pipeline:
        """Return the part of one of several workers."""
        return ValidLabels(self.pipeline.shard(worker, num_workers), self.ranges)

    def processing_network(self) -> Network | None:
        """Return the feature processing as a network."""
        return self.pipeline.processing_network()

    def failure(self) -> Exception | None:
        """Return the label that is out of its range, or why reading stopped."""
        return self._error or self.pipeline.failure()

    def _check(self, place: Tensor, labels: Labels) -> Labels:
        checks = []
        for name, limits in self.ranges.items():
            label = labels[name] if isinstance(labels, Mapping) else labels
            is_valid = contains(limits, label)
            refuse = functools.partial(self._refuse_at, name, place, label, is_valid)
            checks.append(tf.cond(tf.reduce_all(is_valid), lambda: tf.constant(True), refuse))
        with tf.control_dependencies(checks):
            return tf.nest.map_structure(tf.identity, labels)

    def _refuse_at(self, name: str, place: Tensor, label: Tensor, is_valid: Tensor) -> Tensor:
        refuse = functools.partial(self._refuse, name)
        return tf.numpy_function(refuse, [place, label, is_valid], tf.bool)

    def _refuse(self, name: str, place: Array, label: Array, is_valid: Array) -> None:
        row, *column = np.argwhere(~is_valid)[0].tolist()
        position = f" at position {column}" if label[0].size > 1 else ""
        self._error = CorruptData(
            f"{self.pipeline.locate(place, row)}: label {name} is "
            f"{label[(row, *column)]}{position}; expected {self.ranges[name]}"
        )
        raise self._error


def contains(limits: LabelRange, values: Tensor) -> Tensor:
    """Return whether each value is in a range, bool of the same shape."""
    values = tf.cast(values, tf.float64 if values.dtype.is_floating else tf.int64)
    is_valid = (values >= 0) & (values <= limits.highest)
    if limits.is_index and values.dtype.is_floating:
        is_valid &= values == tf.round(values)
    if limits.padding is not None:
        is_valid |= values == limits.padding
    return is_valid
