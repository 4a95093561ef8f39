"""A metric that counts in TensorFlow, and lets scikit-learn compute the score."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from sklearn import metrics

from plx_core.annotations import PositiveInt
from plx_core.types import Array, Tensor

Score = Literal[
    "balanced_accuracy", "cohen_kappa", "f1_macro", "f1_weighted", "jaccard_macro", "matthews"
]
SCORES: Mapping[str, Callable[..., float]] = {
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "cohen_kappa": metrics.cohen_kappa_score,
    "f1_macro": functools.partial(metrics.f1_score, average="macro", zero_division=0.0),
    "f1_weighted": functools.partial(metrics.f1_score, average="weighted", zero_division=0.0),
    "jaccard_macro": functools.partial(metrics.jaccard_score, average="macro", zero_division=0.0),
    "matthews": metrics.matthews_corrcoef,
}


def score_of(name: str, matrix: Array) -> np.float32:
    """Return a score of a confusion matrix [n, n], one row per label; NaN if it is empty."""
    labels, outputs = np.nonzero(matrix)
    if not len(labels):
        return np.float32(np.nan)
    return np.float32(SCORES[name](labels, outputs, sample_weight=matrix[labels, outputs]))


class SklearnScore(keras.metrics.Metric):
    """Computes a score of scikit-learn over all examples.

    Labels and predictions are classes, int [batch].

    Args:
        score: the score.
        num_classes: the number of classes n.
        name: the name in the logs; the score's when None.
    """

    takes = "classes"

    def __init__(self, score: Score, num_classes: PositiveInt, name: str | None = None) -> None:
        super().__init__(name=name or score)
        if score not in SCORES:
            raise ValueError(f"score: expected one of {', '.join(SCORES)}; got {score}")
        self.score = score
        self.num_classes = num_classes
        self.matrix = self.add_variable((num_classes, num_classes), "zeros", name="matrix")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Count a batch."""
        counts = tf.math.confusion_matrix(
            y_true, y_pred, self.num_classes, sample_weight, self.dtype
        )
        self.matrix.assign_add(counts)

    def result(self) -> Tensor:
        """Return the score so far."""
        if tf.executing_eagerly():
            return tf.constant(score_of(self.score, self.matrix.numpy()))
        compute = functools.partial(score_of, self.score)
        return tf.ensure_shape(tf.numpy_function(compute, [self.matrix.value], tf.float32), ())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"score": self.score, "num_classes": self.num_classes, "name": self.name}
