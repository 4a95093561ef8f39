"""Losses of logits."""

from typing import Any, Literal

import keras
from keras import ops

from plx_core.annotations import Fraction

Reduction = Literal["sum_over_batch_size", "sum", "mean", "none"]


@keras.saving.register_keras_serializable("plx_layers")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross-entropy of class probabilities that are the softmax of logits.

    Labels are class indices, int [batch], or a distribution over classes, [batch, classes]; logits are float [batch, classes].

    Args:
        label_smoothing: how much of each label's weight is spread evenly over all classes.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = True

    def __init__(
        self, label_smoothing: Fraction = 0.0, reduction: Reduction = "sum_over_batch_size", name: str = "softmax_cross_entropy"
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, float [batch]."""
        classes = y_pred.shape[-1]
        if len(y_true.shape) < len(y_pred.shape) or (y_true.shape[-1] == 1 and classes != 1):
            indices = y_true if len(y_true.shape) < len(y_pred.shape) else ops.squeeze(y_true, axis=-1)
            if not self.label_smoothing:
                return ops.sparse_categorical_crossentropy(ops.cast(indices, "int32"), y_pred, from_logits=True)
            y_true = ops.one_hot(ops.cast(indices, "int32"), classes, dtype=y_pred.dtype)
        y_true = ops.cast(y_true, y_pred.dtype)
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        return ops.categorical_crossentropy(y_true, y_pred, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing, "reduction": self.reduction, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class SigmoidCrossEntropy(keras.losses.Loss):
    """Cross-entropy of independent probabilities, each the sigmoid of a logit; the mean over the last axis.

    Labels and logits are float [batch, …] of the same shape.

    Args:
        label_smoothing: how far labels are moved from 0 and 1 towards ½.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = True

    def __init__(
        self, label_smoothing: Fraction = 0.0, reduction: Reduction = "sum_over_batch_size", name: str = "sigmoid_cross_entropy"
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, float [batch, …] without the last axis."""
        y_true = ops.cast(y_true, y_pred.dtype)
        if len(y_true.shape) < len(y_pred.shape):
            y_true = ops.expand_dims(y_true, -1)
        if self.label_smoothing:
            y_true = y_true * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=True), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing, "reduction": self.reduction, "name": self.name}
