"""Means over all examples: of the outputs, of their errors, and of how often they are small."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core.annotations import PositiveFloat


@keras.saving.register_keras_serializable("plx_layers")
class Mean(keras.metrics.Mean):
    """The mean of the outputs, float of any shape; a scalar. The labels are not looked at."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of outputs."""
        super().update_state(y_pred, sample_weight)


@keras.saving.register_keras_serializable("plx_layers")
class Sum(keras.metrics.Sum):
    """The sum of the outputs, float of any shape; a scalar. The labels are not looked at."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of outputs."""
        super().update_state(y_pred, sample_weight)


@keras.saving.register_keras_serializable("plx_layers")
class MeanRelativeError(keras.metrics.Mean):
    """The mean of |output − label| / normalizer; 0 is counted where the normalizer is 0.

    Labels and outputs are float [batch, …] of the same shape; the result is a scalar.

    Args:
        normalizer: what the errors are divided by: a number, or one for each element of the last axis; the size of the label when left
            out.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        normalizer: PositiveFloat | list[PositiveFloat] | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name or "mean_relative_error", dtype=dtype)
        self.normalizer = normalizer

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        labels, outputs = ops.cast(y_true, self.dtype), ops.cast(y_pred, self.dtype)
        normalizer = (
            ops.abs(labels) if self.normalizer is None else ops.cast(self.normalizer, self.dtype)
        )
        super().update_state(
            ops.divide_no_nan(ops.abs(outputs - labels), normalizer), sample_weight
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "normalizer": self.normalizer}


@keras.saving.register_keras_serializable("plx_layers")
class MeanCosineDistance(keras.metrics.Mean):
    """The mean of 1 − cos of the angle between label and output.

    Labels and outputs are float [batch, …] of the same shape, and need not have length 1; the result is a scalar.

    Args:
        dim: the axis that the vectors lie along.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, dim: int = -1, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name or "mean_cosine_distance", dtype=dtype)
        self.dim = dim

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch."""
        units = (
            ops.normalize(ops.cast(value, self.dtype), axis=self.dim) for value in (y_true, y_pred)
        )
        super().update_state(1.0 - ops.sum(ops.multiply(*units), axis=self.dim), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}


@keras.saving.register_keras_serializable("plx_layers")
class PercentageLess(keras.metrics.Mean):
    """The share of outputs, float of any shape, below a threshold: a scalar from 0 to 1. The labels are not looked at.

    Args:
        threshold: what the outputs are compared with.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, threshold: float, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name or "percentage_less", dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of outputs."""
        super().update_state(ops.cast(ops.less(y_pred, self.threshold), self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "threshold": self.threshold}
