"""Weights for any loss: one for the loss itself, and one for each class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from plx_core import make, type_hints
from plx_core.annotations import LossLike, NonNegativeFloat
from plx_core.types import Tensor
from plx_layers.losses.declared import is_multi_label, takes_logits


@keras.saving.register_keras_serializable("plx_layers")
class Weighted(keras.losses.Loss):
    """Multiply a loss by a weight, and each example by the weight of its class.

    Labels and outputs have the shapes that the loss takes. Losses that treat each element of the
    last axis as a decision of its own, such as `BinaryCrossentropy` and `Hinge`, weight each
    element by its class. The reduction is that of the loss; a mean still divides by the number of
    examples.

    Args:
        loss: the loss.
        weights: the factor of the loss.
        class_weights: the factor of each example, one number per class, for labels that are class
            indices or one-hot. With one output they are the weights of a negative and a positive
            label.

    Example:
        loss: {Weighted: {loss: Huber, weights: 2.0}}
    """

    def __init__(
        self,
        loss: LossLike,
        weights: NonNegativeFloat = 1.0,
        class_weights: Sequence[NonNegativeFloat] | None = None,
    ) -> None:
        loss = make("losses", loss)
        super().__init__(name=loss.name, reduction=loss.reduction, dtype=loss.dtype)
        self.loss = loss
        self.weights = weights
        self.class_weights = (
            None if class_weights is None else [float(weight) for weight in class_weights]
        )
        self.multi_label = is_multi_label(loss)
        self.from_logits = takes_logits(loss)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return the weighted losses, float [batch, …] without the last axis."""
        labels, outputs = same_rank(y_true, y_pred)
        if self.class_weights is None:
            return self.weights * self.loss.call(labels, outputs)
        if self.multi_label:
            # The mean over a last axis of one element is the loss of that element.
            losses = self.loss.call(ops.expand_dims(labels, -1), ops.expand_dims(outputs, -1))
            losses = ops.mean(losses * self._element_weights(labels), axis=-1)
        else:
            losses = self.loss.call(labels, outputs) * self._example_weights(labels, outputs)
        return self.weights * losses

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "loss": keras.losses.serialize(self.loss),
            "weights": self.weights,
            "class_weights": self.class_weights,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Weighted:
        """Build a loss from its configuration."""
        return cls(**config | {"loss": keras.losses.deserialize(config["loss"])})

    def _element_weights(self, labels: Tensor) -> Tensor:
        """Return the weight of each element, in a shape that broadcasts to [batch, …, classes]."""
        if labels.shape[-1] != 1:
            return self._weights_of(labels.shape[-1], labels.dtype)
        weights = self._weights_of(2, labels.dtype)
        return ops.where(labels > 0, weights[1], weights[0])

    def _example_weights(self, labels: Tensor, outputs: Tensor) -> Tensor:
        """Return the weight of each example, Σ_c y_c · w_c, float [batch, …]."""
        weights = self._weights_of(outputs.shape[-1], outputs.dtype)
        if are_indices(labels, outputs):
            return ops.take(weights, as_indices(labels, outputs))
        return ops.tensordot(ops.cast(labels, outputs.dtype), weights, axes=1)

    def _weights_of(self, classes: int, dtype: str) -> Tensor:
        weights = self.class_weights or []
        if len(weights) != classes:
            raise ValueError(
                f"class_weights: expected {classes} numbers, one per class, got {len(weights)}"
            )
        return ops.convert_to_tensor(weights, dtype=dtype)


def same_rank(labels: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Expand labels [batch] for outputs [batch, 1], or the other way round."""
    if len(labels.shape) == len(outputs.shape) - 1 and outputs.shape[-1] == 1:
        return ops.expand_dims(labels, -1), outputs
    if len(labels.shape) == len(outputs.shape) + 1 and labels.shape[-1] == 1:
        return labels, ops.expand_dims(outputs, -1)
    return labels, outputs


def are_indices(labels: Tensor, outputs: Tensor) -> bool:
    """Return whether labels are class indices, [batch, …] or [batch, …, 1], not one per class."""
    if len(labels.shape) < len(outputs.shape):
        return True
    return bool(labels.shape[-1] == 1 and outputs.shape[-1] != 1)


def as_indices(labels: Tensor, outputs: Tensor) -> Tensor:
    """Return labels that are class indices as int32 [batch, …]."""
    if len(labels.shape) == len(outputs.shape):
        labels = ops.squeeze(labels, axis=-1)
    return ops.cast(labels, "int32")


WEIGHTS_ARGS = """
    weights: the factor of the loss.
    class_weights: the factor of each example, one number per class; see `Weighted`."""


def with_weights(loss: Callable[..., keras.losses.Loss]) -> Callable[..., Weighted]:
    """Return a factory of the same loss that also takes the weights of `Weighted`.

    The docstring of the loss ends with its `Args:`.
    """
    own = list(inspect.signature(loss).parameters.values())
    added = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(Weighted).parameters.items()
        if name != "loss"
    ]

    @functools.wraps(loss, assigned=("__module__", "__name__", "__qualname__"), updated=())
    def build(
        *args: object,
        weights: float = 1.0,
        class_weights: Sequence[float] | None = None,
        **params: object,
    ) -> Weighted:
        return Weighted(loss(*args, **params), weights, class_weights)

    build.__doc__ = inspect.cleandoc(loss.__doc__ or "") + WEIGHTS_ARGS
    build.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    hints = type_hints(loss) | {
        name: hint for name, hint in type_hints(Weighted).items() if name != "loss"
    }
    build.__annotations__ = {name: hint for name, hint in hints.items() if name != "return"}
    return build
