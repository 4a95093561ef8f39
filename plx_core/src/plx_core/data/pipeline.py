"""The interface of a data pipeline."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from plx_core.errors import DataError
from plx_core.types import Array, Dataset, Labels, Nested, Tensor

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

LabelCheck: TypeAlias = Callable[[Tensor, Labels], Labels]
"""A function of the place of a batch and of its labels, which it returns or refuses."""


class Pipeline(ABC):
    """Batches of features and labels, in an order that depends only on (seed, epoch, position).

    The batches form one fixed sequence, and `dataset(start)` yields those numbered `start`,
    `start + 1`, … So a run resumes exactly from the number of a batch, without a saved buffer. A
    factory may take `mode` (one of `Modes`) and `seed`. Core fills in both if the config leaves
    them out.
    """

    @property
    @abstractmethod
    def element_spec(self) -> tuple[dict[str, tf.TensorSpec], Nested]:
        """The features by name, and the labels, with a batch axis.

        The labels are a `tf.TensorSpec`, a mapping of names to them, or None.
        """

    @property
    def names_features(self) -> bool:
        """Whether the data names its features.

        If not, the only one is called `features` in `element_spec` and in the batches, and a model
        function gets it as a tensor.
        """
        return True

    @property
    @abstractmethod
    def num_batches(self) -> int | None:
        """The number of batches in all epochs; None when they never end."""

    @abstractmethod
    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of classes, by the name of a label of class indices, where the data says."""
        return {}

    def checked_dataset(self, check: LabelCheck, start: int = 0) -> Dataset:
        """Return the batches from number `start` on, each with its labels passed through a check.

        Args:
            check: takes the place of the batch, as `locate` does, and its labels, and returns the
                labels; traced into a graph.
            start: the number of the first batch.
        """
        import tensorflow as tf

        def check_batch(number: Tensor, batch: tuple[Nested, Labels]) -> tuple[Nested, Labels]:
            features, labels = batch
            return features, check(number, labels)

        mapped = tf.autograph.experimental.do_not_convert(check_batch)
        return self.dataset(start).enumerate(start).map(mapped)

    def locate(self, place: Array, row: int) -> str:
        """Describe where the example in a row of a batch comes from.

        Args:
            place: the number of the batch, int64 [].
            row: the row, counted from 0.
        """
        return f"row {row} of batch {place}, counted from 0"

    def counters(self) -> Mapping[str, int]:
        """Return counts from reading, such as skipped records, to report with the metrics."""
        return {}

    def shard(self, worker: int, num_workers: int) -> Pipeline:
        """Return the part of one of several workers.

        All parts have the same number of batches, and each example of an epoch is in one part.

        Raises:
            DataError: this pipeline cannot be divided.
        """
        raise DataError(f"{type(self).__name__} cannot be divided among {num_workers} workers")

    def processing_network(self) -> keras.Model | None:
        """Return the feature processing as a network; an export puts it before the model's own."""
        return None

    def failure(self) -> Exception | None:
        """Return the reason why reading stopped, if it is more precise than TensorFlow's error."""
        return None
