"""What a classifier passes to each metric: class indices, decisions or probabilities."""

from __future__ import annotations

import keras
from keras import ops

from plx_core.types import Metric, Tensor

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
CATEGORICAL_METRICS = (
    keras.metrics.CategoricalAccuracy,
    keras.metrics.TopKCategoricalAccuracy,
    keras.metrics.CategoricalCrossentropy,
)


def metric_inputs(
    metric: Metric, labels: Tensor, outputs: Tensor, probabilities: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Return the two arguments of a metric's `update_state`.

    Args:
        metric: a Keras metric.
        labels: int [batch] class indices, or [batch, classes] one-hot.
        outputs: float [batch, classes], in the order of the probabilities; ranking metrics take
            these, which skips the softmax.
        probabilities: float [batch, classes].
        classes: the number of classes; 1 means one probability, that of the positive class.
    """
    indices = _indices(labels, classes)
    if isinstance(metric, keras.metrics.Accuracy) or type(metric) is keras.metrics.MeanIoU:
        return indices, _decisions(outputs, probabilities, classes)
    if isinstance(metric, RANKING_METRICS):
        return indices, outputs
    if isinstance(metric, keras.metrics.SparseCategoricalCrossentropy):
        return indices, probabilities
    if classes > 1 and _needs_all_classes(metric):
        return ops.one_hot(indices, classes), probabilities
    if isinstance(metric, DECISION_METRICS) and metric.get_config().get("thresholds") is None:
        decisions = _decisions(outputs, probabilities, classes)
        if classes <= 2:
            return indices, decisions
        return ops.one_hot(indices, classes), ops.one_hot(decisions, classes)
    if classes == 1:
        return ops.expand_dims(indices, -1), probabilities
    if classes == 2 and not isinstance(metric, CATEGORICAL_METRICS):
        return ops.expand_dims(indices, -1), probabilities[:, 1:]
    return ops.one_hot(indices, classes), probabilities


def _indices(labels: Tensor, classes: int) -> Tensor:
    if len(labels.shape) == 1:
        return ops.cast(labels, "int32")
    if labels.shape[-1] == classes and classes > 1:
        return ops.argmax(labels, axis=-1)
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def _decisions(outputs: Tensor, probabilities: Tensor, classes: int) -> Tensor:
    if classes == 1:
        return ops.cast(probabilities[:, 0] > 0.5, "int32")
    return ops.argmax(outputs, axis=-1)


def _needs_all_classes(metric: Metric) -> bool:
    """Return whether a metric selects one class, or the most probable ones, from all classes."""
    config = metric.get_config()
    return any(config.get(name) is not None for name in ("top_k", "k", "class_id"))
