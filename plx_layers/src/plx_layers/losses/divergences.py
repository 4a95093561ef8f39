"""Losses of distributions: what their parameters or probabilities make of the labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core.annotations import NonNegativeFloat
from plx_layers.losses.weighing import Reduction, WeightedLoss

EPSILON = 1e-7
"""What keeps logarithms finite, as in TensorFlow 1."""


@keras.saving.register_keras_serializable("plx_layers")
class Poisson(WeightedLoss):
    """rate − y · log(rate + 10⁻⁷), the negative log-likelihood of counts up to a constant; the mean over the last axis.

    Labels are counts, float [batch, …]; outputs are the positive rates, of the same shape.

    Args:
        weights: what the loss is multiplied with.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    def __init__(
        self,
        weights: NonNegativeFloat = 1.0,
        reduction: Reduction = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(weights, None, reduction, name)

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch, …] without the last axis."""
        return ops.mean(outputs - labels * ops.log(outputs + EPSILON), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["class_weights"]
        return config


@keras.saving.register_keras_serializable("plx_layers")
class KullbackLeiblerDivergence(WeightedLoss):
    """Σ_c y_c · log(y_c / p_c): how far the outputs' distribution is from the labels'.

    Labels and outputs are probabilities, float [batch, classes]; both are kept at 10⁻⁷ or above.

    Args:
        weights: what the loss is multiplied with.
        class_weights: what an example is multiplied with, one number a class, weighed by the label's distribution.
        reduction: how losses of examples become one.
        name: the loss's name.
    """

    from_logits = False

    def losses(self, labels: Any, outputs: Any) -> Any:
        """Float [batch]."""
        labels, outputs = ops.clip(labels, EPSILON, 1.0), ops.clip(outputs, EPSILON, 1.0)
        return ops.sum(labels * ops.log(labels / outputs), axis=-1)
