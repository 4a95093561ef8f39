"""Means over all examples."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core.annotations import PositiveFloat
from plx_core.types import Tensor


@keras.saving.register_keras_serializable("plx_layers")
class StreamingMean(keras.metrics.Mean):
    """The mean of the outputs, float of any shape: a scalar. The labels are ignored.

    Keras's `Mean` takes one value, so it is no metric of labels and outputs.

    Args:
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, name: str = "streaming_mean", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch of outputs."""
        super().update_state(y_pred, sample_weight)


@keras.saving.register_keras_serializable("plx_layers")
class MeanRelativeError(keras.metrics.Mean):
    """The mean of |output − label| / normalizer; 0 where the normalizer is 0.

    Labels and outputs are float [batch, …] of the same shape; the result is a scalar.

    Args:
        normalizer: a number, or one for each element of the last axis; |label| when omitted.
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

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch."""
        labels = ops.cast(y_true, self.dtype)
        outputs = ops.cast(y_pred, self.dtype)
        if self.normalizer is None:
            normalizer = ops.abs(labels)
        else:
            normalizer = ops.cast(self.normalizer, self.dtype)
        errors = ops.divide_no_nan(ops.abs(outputs - labels), normalizer)
        super().update_state(errors, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "normalizer": self.normalizer}


@keras.saving.register_keras_serializable("plx_layers")
class MeanCosineDistance(keras.metrics.Mean):
    """The mean of one minus the cosine of the angle between label and output.

    Labels and outputs are float [batch, …] of the same shape, and need not have length 1; the
    result is a scalar.

    Args:
        dim: the axis along which the vectors lie.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, dim: int = -1, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name or "mean_cosine_distance", dtype=dtype)
        self.dim = dim

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch."""
        labels = ops.normalize(ops.cast(y_true, self.dtype), axis=self.dim)
        outputs = ops.normalize(ops.cast(y_pred, self.dtype), axis=self.dim)
        super().update_state(1.0 - ops.sum(labels * outputs, axis=self.dim), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}


@keras.saving.register_keras_serializable("plx_layers")
class PercentageLess(keras.metrics.Mean):
    """The share of outputs, float of any shape, below a threshold: a scalar from 0 to 1.

    The labels are ignored.

    Args:
        threshold: the threshold.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, threshold: float, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name or "percentage_less", dtype=dtype)
        self.threshold = threshold

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch of outputs."""
        super().update_state(ops.cast(ops.less(y_pred, self.threshold), self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "threshold": self.threshold}
