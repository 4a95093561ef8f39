"""Areas under curves and points on them, over thresholds that are as fine for a saturated probability as for one near a half."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import keras
import tensorflow as tf

from plx_core.annotations import Fraction, NonNegativeInt, Range

Thresholds = Annotated[int, Range(minimum=3)]
THRESHOLDS = 8192
FINE = 0.02
"""The log-odds around 0 within which thresholds are evenly spaced."""
EXTREME = math.asinh(104.0 / FINE)
"""Beyond the log-odds of every float32 between 0 and 1."""


def threshold_index(probabilities: Any, count: int) -> tf.Tensor:
    """Which of `count` thresholds a probability lies at.

    The thresholds are evenly spaced in asinh(z / 0.02), where z = log(p / (1 − p)): a quarter of a percent of the log-odds from one to
    the next, so that 10⁻⁹ and 10⁻¹², which differ by nothing as probabilities, lie as far apart as 0.2 and 0.1.

    Args:
        probabilities: float, of any shape; what lies beyond 0 and 1 is taken for these.
        count: how many thresholds.

    Returns:
        Int32 of the same shape, 0 to `count` − 1, which grows with the probability.
    """
    p = tf.clip_by_value(tf.cast(probabilities, tf.float32), 0.0, 1.0)
    place = tf.clip_by_value(
        tf.asinh((tf.math.log(p) - tf.math.log1p(-p)) / FINE), -EXTREME, EXTREME
    )
    index = tf.cast(tf.round((place + EXTREME) / (2 * EXTREME) * (count - 1)), tf.int32)
    return tf.clip_by_value(index, 0, count - 1)


class CurveMetric(keras.metrics.Metric):
    """The parent of the metrics here: counts of negatives and positives at each threshold.

    Args:
        num_thresholds: how many thresholds.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        self.num_thresholds, self.class_id = num_thresholds, class_id
        # float32 would stop counting at 2²⁴, which the negatives of many classes reach.
        self.counts = self.add_variable(
            (2 * num_thresholds,), "zeros", dtype="float64", name="counts"
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count labels 0 and 1 and their probabilities, both float of the same shape."""
        labels, probabilities = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
        if self.class_id is not None:
            labels, probabilities = labels[..., self.class_id], probabilities[..., self.class_id]
        weights = tf.ones_like(probabilities, tf.float64)
        if sample_weight is not None:
            given = tf.cast(sample_weight, tf.float64)
            weights *= tf.reshape(
                given,
                tf.concat(
                    [tf.shape(given), tf.ones([tf.rank(weights) - tf.rank(given)], tf.int32)], 0
                ),
            )
        index = threshold_index(
            probabilities, self.num_thresholds
        ) + self.num_thresholds * tf.reshape(tf.cast(labels, tf.int32), tf.shape(probabilities))
        flat = (tf.reshape(value, [-1]) for value in (weights, index))
        self.counts.assign_add(tf.math.unsorted_segment_sum(*flat, 2 * self.num_thresholds))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }

    def _decided_positive(self) -> tuple[tf.Tensor, tf.Tensor]:
        """How many negatives and positives are taken for positive by no threshold, the highest one, and so on: float64 [thresholds + 1]."""
        counts = tf.reverse(tf.reshape(tf.convert_to_tensor(self.counts), [2, -1]), [1])
        false_positives, true_positives = tf.unstack(
            tf.pad(tf.cumsum(counts, axis=1), [[0, 0], [1, 0]])
        )
        return false_positives, true_positives

    def _rates(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The shares of the negatives and of the positives that are taken for positive: float64 [thresholds + 1]."""
        false_positives, true_positives = self._decided_positive()
        return (
            tf.math.divide_no_nan(false_positives, false_positives[-1]),
            tf.math.divide_no_nan(true_positives, true_positives[-1]),
        )


@keras.saving.register_keras_serializable("plx_layers")
class AUC(CurveMetric):
    """The area under the receiver operating characteristic, or under precision over recall.

    Labels are 0 and 1, probabilities float, both of the same shape, [batch] or [batch, classes]; all classes count together, each against
    the rest. `ROC` is the chance that a positive has a higher probability than a negative, ties counted as a half; `PR` is the average
    precision Σ (recallᵢ − recallᵢ₋₁) · precisionᵢ. Both are scikit-learn's but for what lies between two thresholds.

    Args:
        num_thresholds: how many thresholds.
        curve: which curve.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        """The area: a float scalar; 0 where there is no positive, or, for `ROC`, no negative."""
        if self.curve == "ROC":
            fall_out, recall = self._rates()
            area = tf.reduce_sum((fall_out[1:] - fall_out[:-1]) * (recall[1:] + recall[:-1]) / 2)
        else:
            false_positives, true_positives = self._decided_positive()
            precision = tf.math.divide_no_nan(true_positives, true_positives + false_positives)
            gains = true_positives[1:] - true_positives[:-1]
            area = tf.math.divide_no_nan(tf.reduce_sum(gains * precision[1:]), true_positives[-1])
        return tf.cast(area, self.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "curve": self.curve}


@keras.saving.register_keras_serializable("plx_layers")
class SensitivityAtSpecificity(CurveMetric):
    """The highest sensitivity (true positive rate) at a threshold where the specificity is at least what is asked for.

    Labels are 0 and 1, probabilities float, both of the same shape, [batch] or [batch, classes].

    Args:
        specificity: the least specificity (true negative rate).
        num_thresholds: how many thresholds.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        """The sensitivity: a float scalar."""
        fall_out, recall = self._rates()
        return tf.cast(_largest(recall, 1.0 - fall_out >= self.specificity), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "specificity": self.specificity}


@keras.saving.register_keras_serializable("plx_layers")
class SpecificityAtSensitivity(CurveMetric):
    """The highest specificity (true negative rate) at a threshold where the sensitivity is at least what is asked for.

    Labels are 0 and 1, probabilities float, both of the same shape, [batch] or [batch, classes].

    Args:
        sensitivity: the least sensitivity (true positive rate).
        num_thresholds: how many thresholds.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        """The specificity: a float scalar."""
        fall_out, recall = self._rates()
        return tf.cast(_largest(1.0 - fall_out, recall >= self.sensitivity), self.dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "sensitivity": self.sensitivity}


def _largest(values: tf.Tensor, allowed: tf.Tensor) -> tf.Tensor:
    return tf.reduce_max(tf.where(allowed, values, tf.zeros_like(values)))
