"""What a metric of classification is given: class indices, decisions or probabilities."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

RANKING_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseTopKCategoricalAccuracy,
)
DECISION_METRICS = (
    keras.metrics.TruePositives,
    keras.metrics.TrueNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.FalseNegatives,
    keras.metrics.Precision,
    keras.metrics.Recall,
)


def measure(
    metric: Any, labels: Any, outputs: Any, probabilities: Any, classes: int
) -> tuple[Any, Any]:
    """The two arguments of a metric's `update_state`.

    Args:
        metric: a Keras metric.
        labels: int [batch] class indices, or [batch, classes] one-hot.
        outputs: float [batch, classes], in the order of the probabilities; what needs no more than the order is spared the softmax.
        probabilities: float [batch, classes].
        classes: how many classes; 1 means one probability, that of the positive class.
    """
    indices = _indices(labels, classes)
    if isinstance(metric, keras.metrics.Accuracy) or type(metric) is keras.metrics.MeanIoU:
        return indices, _decisions(outputs, probabilities, classes)
    if isinstance(metric, RANKING_METRICS):
        return indices, outputs
    if isinstance(metric, keras.metrics.SparseCategoricalCrossentropy):
        return indices, probabilities
    if _looks_at_columns(metric) and classes > 1:
        return ops.one_hot(indices, classes), probabilities
    if isinstance(metric, DECISION_METRICS) and _without_thresholds(metric):
        decided = _decisions(outputs, probabilities, classes)
        if classes <= 2:
            return indices, decided
        return ops.one_hot(indices, classes), ops.one_hot(decided, classes)
    if classes == 1:
        return ops.expand_dims(indices, -1), probabilities
    if classes == 2 and not isinstance(
        metric,
        (
            keras.metrics.CategoricalAccuracy,
            keras.metrics.TopKCategoricalAccuracy,
            keras.metrics.CategoricalCrossentropy,
        ),
    ):
        return ops.expand_dims(indices, -1), probabilities[:, 1:]
    return ops.one_hot(indices, classes), probabilities


def _indices(labels: Any, classes: int) -> Any:
    if len(labels.shape) == 1:
        return ops.cast(labels, "int32")
    if labels.shape[-1] == classes and classes > 1:
        return ops.argmax(labels, axis=-1)
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def _decisions(outputs: Any, probabilities: Any, classes: int) -> Any:
    if classes == 1:
        return ops.cast(probabilities[:, 0] > 0.5, "int32")
    return ops.argmax(outputs, axis=-1)


def _looks_at_columns(metric: Any) -> bool:
    """Whether a metric takes one class out of all, or the most probable ones, and so has to be given all."""
    config = metric.get_config()
    return any(config.get(name) is not None for name in ("top_k", "k", "class_id"))


def _without_thresholds(metric: Any) -> bool:
    return metric.get_config().get("thresholds") is None
