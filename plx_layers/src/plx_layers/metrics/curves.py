"""Areas under curves and points on them, precise for saturated probabilities too."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import keras
import tensorflow as tf

from plx_core.annotations import Fraction, NonNegativeInt, Range
from plx_core.types import Tensor

Thresholds = Annotated[int, Range(minimum=3)]
THRESHOLDS = 8192
FINE = 0.02
"""The log-odds around 0 within which thresholds are evenly spaced."""
EXTREME = math.asinh(104.0 / FINE)
"""Beyond the log-odds of every float32 between 0 and 1."""


def threshold_index(probabilities: Tensor, count: int) -> tf.Tensor:
    """Return the index of the threshold nearest to each probability.

    The thresholds are evenly spaced in asinh(z / 0.02), where z = log(p / (1 − p)): from one to the
    next the log-odds change by a quarter of a percent. So 10⁻⁹ and 10⁻¹² are as far apart as 0.2
    and 0.1.

    Args:
        probabilities: float of any shape; values below 0 or above 1 are clipped.
        count: the number of thresholds.

    Returns:
        Int32 of the same shape, from 0 to `count` − 1, increasing with the probability.
    """
    p = tf.clip_by_value(tf.cast(probabilities, tf.float32), 0.0, 1.0)
    position = tf.clip_by_value(
        tf.asinh((tf.math.log(p) - tf.math.log1p(-p)) / FINE), -EXTREME, EXTREME
    )
    index = tf.cast(tf.round((position + EXTREME) / (2 * EXTREME) * (count - 1)), tf.int32)
    return tf.clip_by_value(index, 0, count - 1)


class CurveMetric(keras.metrics.Metric):
    """Base class of the metrics here: counts of negatives and positives at each threshold.

    Args:
        num_thresholds: the number of thresholds.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        num_thresholds: Thresholds = THRESHOLDS,
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        # float32 would stop counting at 2²⁴, which the negatives of many classes reach.
        self.counts = self.add_variable(
            (2 * num_thresholds,), "zeros", dtype="float64", name="counts"
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Count labels, 0 and 1, and their probabilities, both float of the same shape."""
        labels = tf.convert_to_tensor(y_true)
        probabilities = tf.convert_to_tensor(y_pred)
        if self.class_id is not None:
            labels = labels[..., self.class_id]
            probabilities = probabilities[..., self.class_id]
        weights = tf.ones_like(probabilities, tf.float64)
        if sample_weight is not None:
            sample_weight = tf.cast(sample_weight, tf.float64)
            missing_axes = tf.rank(weights) - tf.rank(sample_weight)
            shape = tf.concat([tf.shape(sample_weight), tf.ones([missing_axes], tf.int32)], 0)
            weights *= tf.reshape(sample_weight, shape)
        labels = tf.reshape(tf.cast(labels, tf.int32), tf.shape(probabilities))
        index = threshold_index(probabilities, self.num_thresholds) + self.num_thresholds * labels
        self.counts.assign_add(
            tf.math.unsorted_segment_sum(
                tf.reshape(weights, [-1]), tf.reshape(index, [-1]), 2 * self.num_thresholds
            )
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }

    def _predicted_positive(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the false and the true positives at each threshold, float64 [thresholds + 1].

        The first of each is 0; the thresholds decrease from there.
        """
        counts = tf.reverse(tf.reshape(tf.convert_to_tensor(self.counts), [2, -1]), [1])
        false_positives, true_positives = tf.unstack(
            tf.pad(tf.cumsum(counts, axis=1), [[0, 0], [1, 0]])
        )
        return false_positives, true_positives

    def _rates(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the false and true positive rates at each threshold, float64 [thresholds + 1]."""
        false_positives, true_positives = self._predicted_positive()
        return (
            tf.math.divide_no_nan(false_positives, false_positives[-1]),
            tf.math.divide_no_nan(true_positives, true_positives[-1]),
        )


@keras.saving.register_keras_serializable("plx_layers")
class StreamingAUC(CurveMetric):
    """The area under the ROC or precision-recall curve, precise for saturated probabilities too.

    Labels are 0 and 1, probabilities float, both [batch] or [batch, classes]; all classes are
    counted together, each against the rest. `ROC` is the probability that a positive is ranked
    above a negative, with half of the ties; `PR` is the average precision Σ (recallᵢ − recallᵢ₋₁) ·
    precisionᵢ. Both agree with scikit-learn, up to examples between two thresholds. Keras's `AUC`
    spaces its thresholds evenly from 0 to 1, and so merges probabilities that are all close to 0 or
    1.

    Args:
        num_thresholds: the number of thresholds.
        curve: the curve.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        num_thresholds: Thresholds = THRESHOLDS,
        curve: Literal["ROC", "PR"] = "ROC",
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve: expected ROC or PR, got {curve}")
        super().__init__(num_thresholds, class_id, name, dtype)
        self.curve = curve

    def result(self) -> tf.Tensor:
        """Return the area, a float scalar; 0 without positives or, for `ROC`, without negatives."""
        if self.curve == "ROC":
            fall_out, recall = self._rates()
            area = tf.reduce_sum((fall_out[1:] - fall_out[:-1]) * (recall[1:] + recall[:-1]) / 2)
        else:
            false_positives, true_positives = self._predicted_positive()
            precision = tf.math.divide_no_nan(true_positives, true_positives + false_positives)
            gains = true_positives[1:] - true_positives[:-1]
            area = tf.math.divide_no_nan(tf.reduce_sum(gains * precision[1:]), true_positives[-1])
        return tf.cast(area, self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "curve": self.curve}


@keras.saving.register_keras_serializable("plx_layers")
class StreamingSensitivityAtSpecificity(CurveMetric):
    """The highest sensitivity (true positive rate) with at least a given specificity.

    Labels are 0 and 1, probabilities float, both [batch] or [batch, classes]. The thresholds are
    those of `StreamingAUC`.

    Args:
        specificity: the lowest specificity (true negative rate).
        num_thresholds: the number of thresholds.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        specificity: Fraction,
        num_thresholds: Thresholds = THRESHOLDS,
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(num_thresholds, class_id, name, dtype)
        self.specificity = specificity

    def result(self) -> tf.Tensor:
        """Return the sensitivity, a float scalar."""
        fall_out, recall = self._rates()
        return tf.cast(_largest(recall, 1.0 - fall_out >= self.specificity), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "specificity": self.specificity}


@keras.saving.register_keras_serializable("plx_layers")
class StreamingSpecificityAtSensitivity(CurveMetric):
    """The highest specificity (true negative rate) with at least a given sensitivity.

    Labels are 0 and 1, probabilities float, both [batch] or [batch, classes]. The thresholds are
    those of `StreamingAUC`.

    Args:
        sensitivity: the lowest sensitivity (true positive rate).
        num_thresholds: the number of thresholds.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        sensitivity: Fraction,
        num_thresholds: Thresholds = THRESHOLDS,
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity

    def result(self) -> tf.Tensor:
        """Return the specificity, a float scalar."""
        fall_out, recall = self._rates()
        return tf.cast(_largest(1.0 - fall_out, recall >= self.sensitivity), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "sensitivity": self.sensitivity}


def _largest(values: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.where(allowed, values, tf.zeros_like(values)))
