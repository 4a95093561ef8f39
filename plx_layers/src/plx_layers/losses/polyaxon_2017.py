"""The losses of TensorFlow 1 and polyaxon-lib by name, each with the weights of `Weighted`."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from plx_core.annotations import Fraction, NonNegativeFloat, PositiveFloat
from plx_core.types import Tensor
from plx_layers.losses.weighted import are_indices, as_indices, with_weights

Reduction = Literal["sum_over_batch_size", "sum", "mean", "none"]


@with_weights
@keras.saving.register_keras_serializable("plx_layers")
class SoftmaxCrossEntropy(keras.losses.Loss):
    """Cross-entropy of class probabilities that are the softmax of logits.

    Labels are class indices, int [batch], or a distribution over classes, [batch, classes]; logits
    are float [batch, classes].

    Args:
        label_smoothing: the share of each label that is spread evenly over all classes.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """

    from_logits = True
    multi_label = False

    def __init__(
        self,
        label_smoothing: Fraction = 0.0,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "softmax_cross_entropy",
    ) -> None:
        super().__init__(name, reduction)
        self.label_smoothing = label_smoothing

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return −Σ_c y_c · log softmax(logits)_c of each example, float [batch]."""
        classes = y_pred.shape[-1]
        labels = y_true
        if are_indices(y_true, y_pred):
            indices = as_indices(y_true, y_pred)
            if not self.label_smoothing:
                return ops.sparse_categorical_crossentropy(indices, y_pred, from_logits=True)
            labels = ops.one_hot(indices, classes)
        labels = ops.cast(labels, y_pred.dtype)
        if self.label_smoothing:
            labels = labels * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        return ops.categorical_crossentropy(labels, y_pred, from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@with_weights
def sigmoid_cross_entropy(
    label_smoothing: Fraction = 0.0,
    reduction: Reduction = "sum_over_batch_size",
    name: str = "sigmoid_cross_entropy",
) -> keras.losses.Loss:
    """Compute the cross-entropy of independent probabilities, each the sigmoid of a logit.

    Labels and logits are float [batch, …] of the same shape; the mean is over the last axis. It is
    Keras's `BinaryCrossentropy` of logits.

    Args:
        label_smoothing: how far labels are moved from 0 and 1 towards ½.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """
    return keras.losses.BinaryCrossentropy(
        from_logits=True, label_smoothing=label_smoothing, reduction=reduction, name=name
    )


@with_weights
@keras.saving.register_keras_serializable("plx_layers")
class LogLoss(keras.losses.Loss):
    """Cross-entropy of independent probabilities: the mean over the last axis.

    Labels and probabilities are float [batch, …] of the same shape.

    Args:
        epsilon: what is added to a probability before its logarithm is taken.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """

    from_logits = False
    multi_label = True

    def __init__(
        self,
        epsilon: NonNegativeFloat = 1e-7,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "log_loss",
    ) -> None:
        super().__init__(name, reduction)
        self.epsilon = epsilon

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the mean of −y · log(p + ε) − (1 − y) · log(1 − p + ε) over the last axis."""
        positive = -y_true * ops.log(y_pred + self.epsilon)
        negative = (1.0 - y_true) * ops.log(1.0 - y_pred + self.epsilon)
        return ops.mean(positive - negative, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}


@with_weights
def absolute_difference(
    reduction: Reduction = "sum_over_batch_size", name: str = "absolute_difference"
) -> keras.losses.Loss:
    """Compute Keras's `MeanAbsoluteError` of labels and outputs, float [batch, …].

    Args:
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """
    return keras.losses.MeanAbsoluteError(reduction, name)


@with_weights
def huber_loss(
    delta: PositiveFloat = 1.0,
    reduction: Reduction = "sum_over_batch_size",
    name: str = "huber_loss",
) -> keras.losses.Loss:
    """Compute Keras's `Huber` of labels and outputs, float [batch, …].

    Args:
        delta: the largest difference for which the loss is quadratic.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """
    return keras.losses.Huber(delta, reduction, name)


@with_weights
@keras.saving.register_keras_serializable("plx_layers")
class ClippedDeltaLoss(keras.losses.Loss):
    """The mean of the squared difference of outputs and labels, clipped before it is squared.

    Labels and outputs are float [batch, …] of the same shape; the mean is over the last axis.
    Unlike Huber's, the loss has no gradient for a difference beyond the limits.

    Args:
        clip_value_min: the smallest difference.
        clip_value_max: the largest difference.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """

    from_logits = False

    def __init__(
        self,
        clip_value_min: float = -1.0,
        clip_value_max: float = 1.0,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "clipped_delta_loss",
    ) -> None:
        super().__init__(name, reduction)
        if clip_value_min >= clip_value_max:
            raise ValueError(
                f"clip_value_min: expected a number below clip_value_max, {clip_value_max}; "
                f"got {clip_value_min}"
            )
        self.clip_value_min = clip_value_min
        self.clip_value_max = clip_value_max

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the mean over the last axis."""
        difference = ops.clip(y_pred - y_true, self.clip_value_min, self.clip_value_max)
        return ops.mean(ops.square(difference), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        limits = {"clip_value_min": self.clip_value_min, "clip_value_max": self.clip_value_max}
        return {**super().get_config(), **limits}


@with_weights
def hinge_loss(
    reduction: Reduction = "sum_over_batch_size", name: str = "hinge_loss"
) -> keras.losses.Loss:
    """Compute Keras's `Hinge` of labels, 0 and 1 or −1 and 1, and outputs, both float [batch, …].

    Args:
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """
    return keras.losses.Hinge(reduction, name)


@with_weights
@keras.saving.register_keras_serializable("plx_layers")
class CosineDistance(keras.losses.Loss):
    """One minus the cosine of the angle between label and output.

    Labels and outputs are float [batch, …] of the same shape, and need not have length 1.

    Args:
        dim: the axis along which the vectors lie.
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """

    from_logits = False

    def __init__(
        self,
        dim: int = -1,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "cosine_distance",
    ) -> None:
        super().__init__(name, reduction)
        self.dim = dim

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the distances, float [batch, …] without the axis `dim`."""
        labels = ops.normalize(y_true, axis=self.dim)
        outputs = ops.normalize(y_pred, axis=self.dim)
        return 1.0 - ops.sum(labels * outputs, axis=self.dim)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "dim": self.dim}


@with_weights
def poisson_loss(
    reduction: Reduction = "sum_over_batch_size", name: str = "poisson_loss"
) -> keras.losses.Loss:
    """Compute Keras's `Poisson` of counts and positive rates, both float [batch, …].

    Args:
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """
    return keras.losses.Poisson(reduction, name)


@with_weights
@keras.saving.register_keras_serializable("plx_layers")
class KullbackLeiblerDivergence(keras.losses.KLDivergence):
    """Keras's `KLDivergence`, Σ_c y_c · log(y_c / p_c), of probabilities, float [batch, classes].

    Args:
        reduction: how the losses of examples are combined.
        name: the loss's name.
    """

    def __init__(
        self,
        reduction: Reduction = "sum_over_batch_size",
        name: str = "kullback_leibler_divergence",
    ) -> None:
        super().__init__(reduction, name)
