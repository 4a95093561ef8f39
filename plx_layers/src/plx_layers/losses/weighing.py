"""What all losses here share: a weight for the loss, and one for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from plx_core import snake_case
from plx_core.annotations import NonNegativeFloat

Reduction = Literal["sum_over_batch_size", "sum", "mean", "none"]


def example_weights(labels: Any, class_weights: Sequence[float]) -> Any:
    """What each example weighs: Σ_c y_c · w_c.

    Args:
        labels: float [batch, …, classes], one-hot or a distribution.
        class_weights: one number a class.

    Returns:
        Float [batch, …].
    """
    return ops.tensordot(labels, ops.convert_to_tensor(class_weights, dtype=labels.dtype), axes=1)


def element_weights(labels: Any, class_weights: Sequence[float]) -> Any:
    """What each of several independent labels weighs: what its class does.

    Args:
        labels: float [batch, …, classes], positive where the class is present; with a last axis of 1, the one label tells two classes
            apart, and the first of two weights is that of its absence.
        class_weights: one number a class.

    Returns:
        Float, of a shape that the labels' can be multiplied with.
    """
    if labels.shape[-1] == 1 and len(class_weights) == 2:
        negative, positive = class_weights
        return ops.where(labels > 0, positive, negative)
    return ops.convert_to_tensor(class_weights, dtype=labels.dtype)


def same_rank(labels: Any, outputs: Any) -> tuple[Any, Any]:
    """Labels and outputs of one rank: a label [batch] fits an output [batch, 1], and the other way round."""
    if len(labels.shape) == len(outputs.shape) - 1 and outputs.shape[-1] == 1:
        return ops.expand_dims(labels, -1), outputs
    if len(labels.shape) == len(outputs.shape) + 1 and labels.shape[-1] == 1:
        return labels, ops.expand_dims(outputs, -1)
    return labels, outputs


class WeightedLoss(keras.losses.Loss):
    """The parent of the losses here: `call` is `losses`, weighed.

    Args:
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class; the mean is still over the number of examples.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    independent = False
    """Whether each element of the last axis is a decision of its own, and is weighed by its own class."""

    def __init__(
        self,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or snake_case(type(self).__name__), reduction=reduction)
        self.weights = weights
        self.class_weights = (
            None if class_weights is None else [float(weight) for weight in class_weights]
        )

    def losses(self, labels: Any, outputs: Any) -> Any:
        """The losses before they are weighed: float [batch, …], with the last axis where they are `independent`."""
        raise NotImplementedError(f"{type(self).__name__} has to define losses")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The weighed losses, float [batch, …] without the last axis."""
        labels, outputs = same_rank(y_true, y_pred)
        losses = self.losses(labels, outputs)
        if self.class_weights is not None:
            self._check(labels.shape[-1])
            losses = losses * (element_weights if self.independent else example_weights)(
                labels, self.class_weights
            )
        return self.weights * (ops.mean(losses, axis=-1) if self.independent else losses)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "weights": self.weights,
            "class_weights": self.class_weights,
            "reduction": self.reduction,
            "name": self.name,
        }

    def _check(self, classes: int) -> None:
        """Refuse class weights of another number than there are classes."""
        expected = 2 if self.independent and classes == 1 else classes
        if self.class_weights is not None and len(self.class_weights) != expected:
            raise ValueError(
                f"class_weights: expected {expected} numbers, one a class, got {len(self.class_weights)}"
            )
