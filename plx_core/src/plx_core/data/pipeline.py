"""What a plug-in implements: small abstract classes, which core calls and nothing else.

What changes over time has `state()` and `restore()`: a mapping of names to NumPy arrays, numbers, texts, and mappings
of these. A checkpoint is those states, so a part that returns all that it would miss resumes exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from plx_core.errors import DataError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


class Pipeline(ABC):
    """Batches of features and labels, in an order that is a function of (seed, epoch, position).

    `dataset(start)` yields the batches numbered `start`, `start + 1`, … of one fixed sequence: a position is a number,
    and resuming is exact without any buffer being saved. A factory may take `mode` (one of `Modes`) and `seed`; core
    fills both in where a config leaves them out.
    """

    @property
    @abstractmethod
    def element_spec(self) -> tuple[dict[str, tf.TensorSpec], Any]:
        """The features by name, and the labels (a `tf.TensorSpec`, a mapping of names to them, or None), with a batch axis."""

    @property
    @abstractmethod
    def num_batches(self) -> int | None:
        """How many batches there are in all epochs; None when they never end."""

    @abstractmethod
    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on."""

    def counters(self) -> Mapping[str, int]:
        """What was counted while reading, such as skipped records; reported with the metrics."""
        return {}

    def shard(self, worker: int, num_workers: int) -> Pipeline:
        """The part of one of several workers: the same number of batches for each, and each example of an epoch for one of them.

        Raises:
            DataError: this pipeline cannot be divided.
        """
        raise DataError(f"{type(self).__name__} cannot be divided among {num_workers} workers")

    def processing_network(self) -> keras.Model | None:
        """What was done to the features as they lie in the data, as a network; an export puts it before the model's own."""
        return None

    def failure(self) -> Exception | None:
        """Why reading stopped, where TensorFlow itself reports no more than that it did."""
        return None
