"""A metric that counts in TensorFlow and asks scikit-learn for the score."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from sklearn import metrics

from plx_core.annotations import PositiveInt

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


def score_of(name: str, matrix: np.ndarray) -> np.float32:
    """A score of a confusion matrix [n, n], whose rows are the labels; not a number where it counts nothing."""
    labels, outputs = np.nonzero(matrix)
    if not len(labels):
        return np.float32(np.nan)
    return np.float32(SCORES[name](labels, outputs, sample_weight=matrix[labels, outputs]))


class SklearnScore(keras.metrics.Metric):
    """A score of scikit-learn over all examples; labels int [batch] or one-hot [batch, n], outputs [batch, n].

    Args:
        score: which.
        num_classes: n.
        name: under which it is logged; the score's when None.
    """

    def __init__(self, score: Score, num_classes: PositiveInt, name: str | None = None) -> None:
        super().__init__(name=name or score)
        if score not in SCORES:
            raise ValueError(f"score: expected one of {', '.join(SCORES)}; got {score}")
        self.score, self.num_classes = score, num_classes
        self.matrix = self.add_variable((num_classes, num_classes), "zeros", name="matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch."""
        y_true, y_pred = tf.convert_to_tensor(y_true), tf.convert_to_tensor(y_pred)
        is_one_hot = (
            y_true.shape.rank == y_pred.shape.rank
            and y_true.shape[-1] == self.num_classes
            and self.num_classes > 1
        )
        labels = (
            tf.argmax(y_true, axis=-1)
            if is_one_hot
            else tf.cast(tf.reshape(y_true, (-1,)), tf.int64)
        )
        outputs = tf.argmax(y_pred, axis=-1)
        counted = tf.math.confusion_matrix(
            labels, outputs, self.num_classes, sample_weight, self.dtype
        )
        self.matrix.assign_add(counted)

    def result(self) -> Any:
        """The score so far."""
        if tf.executing_eagerly():
            return tf.constant(score_of(self.score, self.matrix.numpy()))
        value = tf.numpy_function(
            functools.partial(score_of, self.score), [self.matrix.value], tf.float32
        )
        return tf.ensure_shape(value, ())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"score": self.score, "num_classes": self.num_classes, "name": self.name}
