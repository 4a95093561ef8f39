"""Cross-entropies: of logits, through a softmax or a sigmoid, and of probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from plx_core.annotations import Fraction, NonNegativeFloat
from plx_layers.losses.weighing import Reduction, WeightedLoss


@keras.saving.register_keras_serializable("plx_layers")
class SoftmaxCrossEntropy(WeightedLoss):
    """Cross-entropy of class probabilities that are the softmax of logits.

    Labels are class indices, int [batch], or a distribution over classes, [batch, classes]; logits are float [batch, classes].

    Args:
        label_smoothing: how much of each label's weight is spread evenly over all classes.
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = True

    def __init__(
        self,
        label_smoothing: Fraction = 0.0,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, class_weights, reduction, name)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each example, float [batch]."""
        classes = y_pred.shape[-1]
        if len(y_true.shape) < len(y_pred.shape) or (y_true.shape[-1] == 1 and classes != 1):
            indices = (
                y_true if len(y_true.shape) < len(y_pred.shape) else ops.squeeze(y_true, axis=-1)
            )
            if not self.label_smoothing and self.class_weights is None:
                return self.weights * ops.sparse_categorical_crossentropy(
                    ops.cast(indices, "int32"), y_pred, from_logits=True
                )
            y_true = ops.one_hot(ops.cast(indices, "int32"), classes, dtype=y_pred.dtype)
        return super().call(ops.cast(y_true, y_pred.dtype), y_pred)

    def losses(self, labels: Any, outputs: Any) -> Any:
        """−Σ_c y_c · log softmax(logits)_c of each example, float [batch]."""
        if self.label_smoothing:
            labels = (
                labels * (1.0 - self.label_smoothing) + self.label_smoothing / outputs.shape[-1]
            )
        return ops.categorical_crossentropy(labels, outputs, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing} | super().get_config()


@keras.saving.register_keras_serializable("plx_layers")
class SigmoidCrossEntropy(WeightedLoss):
    """Cross-entropy of independent probabilities, each the sigmoid of a logit; the mean over the last axis.

    Labels and logits are float [batch, …] of the same shape.

    Args:
        label_smoothing: how far labels are moved from 0 and 1 towards ½.
        weights: what the loss is multiplied with.
        class_weights: what each element of the last axis is multiplied with, one number a class; with one logit, the weights of a
            label 0 and of a label 1.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = True
    independent = True

    def __init__(
        self,
        label_smoothing: Fraction = 0.0,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, class_weights, reduction, name)
        self.label_smoothing = label_smoothing

    def losses(self, labels: Any, outputs: Any) -> Any:
        """−y · log σ(logit) − (1 − y) · log(1 − σ(logit)) of each element, float [batch, …]."""
        labels = ops.cast(labels, outputs.dtype)
        if self.label_smoothing:
            labels = labels * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing
        return ops.binary_crossentropy(labels, outputs, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"label_smoothing": self.label_smoothing} | super().get_config()


@keras.saving.register_keras_serializable("plx_layers")
class LogLoss(WeightedLoss):
    """Cross-entropy of independent probabilities; the mean over the last axis.

    Labels and probabilities are float [batch, …] of the same shape.

    Args:
        epsilon: what is added to a probability before its logarithm is taken.
        weights: what the loss is multiplied with.
        class_weights: what each element of the last axis is multiplied with, one number a class; with one probability, the weights
            of a label 0 and of a label 1.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = False
    independent = True

    def __init__(
        self,
        epsilon: NonNegativeFloat = 1e-7,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, class_weights, reduction, name)
        self.epsilon = epsilon

    def losses(self, labels: Any, outputs: Any) -> Any:
        """−y · log(p + ε) − (1 − y) · log(1 − p + ε) of each element, float [batch, …]."""
        return -labels * ops.log(outputs + self.epsilon) - (1.0 - labels) * ops.log(
            1.0 - outputs + self.epsilon
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"epsilon": self.epsilon} | super().get_config()
