"""What a classifier passes to each metric: probabilities, logits or classes, and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import keras
from keras import ops

from plx_core import metric_input
from plx_core.errors import ComponentError
from plx_core.types import Loss, Metric, Tensor
from plx_layers.losses.declared import loss_name
from plx_layers.metrics.correlations import ComomentMetric
from plx_layers.metrics.curves import CurveMetric
from plx_layers.metrics.means import MeanRelativeError, PercentageLess, StreamingMean
from plx_layers.models.class_task import ClassTask

CLASS_INDEX_METRICS = (
    keras.metrics.SparseCategoricalAccuracy,
    keras.metrics.SparseTopKCategoricalAccuracy,
    keras.metrics.SparseCategoricalCrossentropy,
)
CATEGORICAL_METRICS = (
    keras.metrics.CategoricalAccuracy,
    keras.metrics.TopKCategoricalAccuracy,
    keras.metrics.CategoricalCrossentropy,
    keras.metrics.CategoricalHinge,
)
RANKING_METRICS = CLASS_INDEX_METRICS[:2]
DECISION_METRICS = (
    keras.metrics.TruePositives,
    keras.metrics.TrueNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.FalseNegatives,
    keras.metrics.Precision,
    keras.metrics.Recall,
)
MARGIN_METRICS = (
    keras.metrics.Hinge,
    keras.metrics.SquaredHinge,
    keras.metrics.CategoricalHinge,
)
BINARY_METRICS = (
    *DECISION_METRICS,
    keras.metrics.AUC,
    keras.metrics.BinaryAccuracy,
    keras.metrics.BinaryCrossentropy,
    keras.metrics.BinaryIoU,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.LogCoshError,
    keras.metrics.MeanAbsoluteError,
    keras.metrics.MeanAbsolutePercentageError,
    keras.metrics.MeanSquaredError,
    keras.metrics.MeanSquaredLogarithmicError,
    keras.metrics.Poisson,
    keras.metrics.R2Score,
    keras.metrics.RootMeanSquaredError,
    ComomentMetric,
    CurveMetric,
    MeanRelativeError,
    PercentageLess,
    StreamingMean,
)
"""The metrics that compare numbers one by one: of two classes, they take those of the second."""
VECTOR_METRICS = (
    *CATEGORICAL_METRICS,
    keras.metrics.ConcordanceCorrelation,
    keras.metrics.CosineSimilarity,
    keras.metrics.FBetaScore,
    keras.metrics.KLDivergence,
    keras.metrics.PearsonCorrelation,
)
"""The metrics that compare vectors: of two classes, they take both columns."""


class ClassBatch:
    """The labels and outputs of a batch in the forms that metrics take.

    Args:
        task: what the outputs mean.
        labels: int [n] or [n, 1] class indices, or [n, columns], 0 or 1.
        outputs: float [n, columns].
    """

    def __init__(self, task: ClassTask, labels: Tensor, outputs: Tensor) -> None:
        self.task = task
        self.labels = labels
        self.outputs = outputs

    @cached_property
    def indices(self) -> Tensor:
        """The class of each label, int [n]."""
        if len(self.labels.shape) == 1:
            return ops.cast(self.labels, "int32")
        if self.labels.shape[-1] == self.task.columns and self.task.columns > 1:
            return ops.cast(ops.argmax(self.labels, axis=-1), "int32")
        return ops.cast(ops.reshape(self.labels, (-1,)), "int32")

    @cached_property
    def vectors(self) -> Tensor:
        """The labels as 0 or 1 for each class, float [n, classes]."""
        if self.task.multi_label:
            return ops.cast(ops.cast(self.labels, "float32") > 0.5, "float32")
        return ops.one_hot(self.indices, self.task.classes)

    @cached_property
    def columns(self) -> Tensor:
        """The labels as 0 or 1 for each column, float [n, columns]."""
        return self.vectors[:, -1:] if self.task.columns == 1 else self.vectors

    @cached_property
    def probabilities(self) -> Tensor:
        """The probability of each column, float [n, columns]."""
        return self.task.probabilities(self.outputs)

    @cached_property
    def decisions(self) -> Tensor:
        """The predicted class, int [n], or set of classes, 0 or 1, int [n, columns]."""
        return ops.cast(self.task.decisions(self.outputs), "int32")

    @property
    def decided_vectors(self) -> Tensor:
        """The decisions as 0 or 1 for each class, float [n, classes]."""
        if self.task.multi_label:
            return ops.cast(self.decisions, "float32")
        return ops.one_hot(self.decisions, self.task.classes)

    def scores(self, *, are_logits: bool) -> Tensor:
        """Return the logits or the probability of each class, float [n, classes]."""
        scores = self.outputs if are_logits else self.probabilities
        if self.task.classes == self.task.columns:
            return scores
        return ops.concatenate([0.0 * scores if are_logits else 1.0 - scores, scores], axis=-1)

    def positive(self, *, are_logits: bool) -> Tensor:
        """Return the logit or the probability of the second of two classes, float [n, 1]."""
        scores = self.scores(are_logits=are_logits)
        if are_logits and not self.task.is_sigmoid:
            return scores[:, 1:] - scores[:, :1]
        return scores[:, 1:]


def metric_inputs(metric: Metric, batch: ClassBatch) -> tuple[Tensor, Tensor]:
    """Return the two arguments of a metric's `update_state`; see `plx_core.metric_input`."""
    declared = metric_input(metric)
    if declared == "classes":
        labels = ops.cast(batch.columns, "int32") if batch.task.multi_label else batch.indices
        return labels, batch.decisions
    if declared is not None:
        return batch.columns, batch.outputs if declared == "logits" else batch.probabilities
    if isinstance(metric, keras.metrics.Accuracy):
        return _accuracy_inputs(batch)
    if _is_iou(metric):
        labels = batch.indices if metric.sparse_y_true else batch.vectors
        return labels, batch.decisions if metric.sparse_y_pred else batch.scores(are_logits=False)
    return _keras_inputs(metric, batch)


def takes_logits(metric: Metric) -> bool:
    """Return whether a metric declares that it takes logits, or is one of Keras's with logits."""
    return metric_input(metric) == "logits" or bool(metric.get_config().get("from_logits"))


def check_metrics(metrics: Mapping[str, Metric], task: ClassTask, loss: Loss) -> None:
    """Raise an error if a metric cannot measure what a classifier predicts.

    Raises:
        ComponentError: it compares single classes and an example has a set of them, or it takes
            logits and the outputs are probabilities.
    """
    for name, metric in metrics.items():
        takes_one_class = isinstance(metric, (*CLASS_INDEX_METRICS, *CATEGORICAL_METRICS))
        if task.multi_label and (takes_one_class or _is_iou(metric)):
            raise ComponentError(
                f"the metric {name} is for examples of one class, and with multi_label an "
                "example has a set of classes; Accuracy counts equal sets, BinaryAccuracy equal "
                "decisions"
            )
        if _takes_logits(metric) and not task.from_logits:
            raise ComponentError(
                f"the metric {name} takes logits, and the loss {loss_name(loss)} takes "
                "probabilities, so the graph's outputs are no logits"
            )


def _accuracy_inputs(batch: ClassBatch) -> tuple[Tensor, Tensor]:
    if not batch.task.multi_label:
        return batch.indices, batch.decisions
    # Accuracy compares numbers, not sets: compare the sets here.
    is_equal = ops.all(ops.equal(batch.decided_vectors, batch.vectors), axis=-1)
    return ops.ones_like(is_equal, "int32"), ops.cast(is_equal, "int32")


def _keras_inputs(metric: Metric, batch: ClassBatch) -> tuple[Tensor, Tensor]:
    is_of_class = getattr(metric, "class_id", None) is not None
    is_pair = batch.task.classes == 2 and not batch.task.multi_label
    takes_vectors = is_of_class or isinstance(metric, VECTOR_METRICS)
    takes_positive = is_pair and isinstance(metric, BINARY_METRICS) and not takes_vectors
    if _counts_decisions(metric):
        if takes_positive:
            return batch.vectors[:, 1:], batch.decided_vectors[:, 1:]
        return batch.vectors, batch.decided_vectors
    are_logits = _takes_logits(metric)
    if isinstance(metric, CLASS_INDEX_METRICS):
        is_ranking = isinstance(metric, RANKING_METRICS)  # the order is that of the outputs
        are_logits = batch.task.from_logits if is_ranking else are_logits
        return batch.indices, batch.scores(are_logits=are_logits)
    if takes_vectors or getattr(metric, "top_k", None) is not None:
        return batch.vectors, batch.scores(are_logits=are_logits)
    if takes_positive:
        return batch.vectors[:, 1:], batch.positive(are_logits=are_logits)
    return batch.columns, batch.outputs if are_logits else batch.probabilities


def _counts_decisions(metric: Metric) -> bool:
    """Return whether a metric counts right and wrong decisions, and sets no threshold for them."""
    if isinstance(metric, keras.metrics.FBetaScore):
        return metric.threshold is None
    return (
        isinstance(metric, DECISION_METRICS)
        and getattr(metric, "top_k", None) is None
        and metric.get_config().get("thresholds") is None
    )


def _takes_logits(metric: Metric) -> bool:
    return isinstance(metric, MARGIN_METRICS) or takes_logits(metric)


def _is_iou(metric: Metric) -> bool:
    return isinstance(metric, keras.metrics.IoU) and not isinstance(metric, keras.metrics.BinaryIoU)
