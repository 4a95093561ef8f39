"""What a loss says of a network's outputs: whether classes exclude each other, and whether logits.

A loss declares it by two attributes:

- `multi_label`: True if each element of the last axis is a decision of its own, with the sigmoid as
  its probability; False if the elements are classes that exclude each other, with the softmax as
  their probabilities.
- `from_logits`: False if the outputs are the probabilities themselves. A classifier takes its
  outputs for logits if it is omitted.

Those of Keras's losses are known.
"""

from __future__ import annotations

import keras

from plx_core.types import Loss

MULTI_LABEL = (
    keras.losses.BinaryCrossentropy,
    keras.losses.BinaryFocalCrossentropy,
    keras.losses.Hinge,
    keras.losses.SquaredHinge,
)
ONE_CLASS = (
    keras.losses.CategoricalCrossentropy,
    keras.losses.CategoricalFocalCrossentropy,
    keras.losses.CategoricalGeneralizedCrossEntropy,
    keras.losses.CategoricalHinge,
    keras.losses.KLDivergence,
    keras.losses.SparseCategoricalCrossentropy,
)
OF_PROBABILITIES = (
    keras.losses.CategoricalGeneralizedCrossEntropy,
    keras.losses.CosineSimilarity,
    keras.losses.Dice,
    keras.losses.Huber,
    keras.losses.KLDivergence,
    keras.losses.LogCosh,
    keras.losses.MeanAbsoluteError,
    keras.losses.MeanAbsolutePercentageError,
    keras.losses.MeanSquaredError,
    keras.losses.MeanSquaredLogarithmicError,
    keras.losses.Poisson,
    keras.losses.Tversky,
)
"""The losses of Keras that compare outputs with one-hot labels directly."""


def is_multi_label(loss: Loss) -> bool | None:
    """Return whether a loss treats each class as a decision of its own; None if it is unknown."""
    declared = getattr(loss, "multi_label", None)
    if declared is not None:
        return bool(declared)
    if isinstance(loss, MULTI_LABEL):
        return True
    return False if isinstance(loss, ONE_CLASS) else None


def takes_logits(loss: Loss) -> bool | None:
    """Return whether a loss takes logits, not the probabilities themselves; None if unknown."""
    declared = getattr(loss, "from_logits", None)
    if declared is not None:
        return bool(declared)
    return False if isinstance(loss, OF_PROBABILITIES) else None


def needs_columns(loss: Loss) -> bool:
    """Return whether a loss is known to compare a column for each class, not class indices."""
    inner = getattr(loss, "loss", loss)  # that of `Weighted`
    if isinstance(inner, keras.losses.SparseCategoricalCrossentropy):
        return False
    return is_multi_label(inner) is True or isinstance(inner, (*ONE_CLASS, *OF_PROBABILITIES))


def loss_name(loss: Loss) -> str:
    """Return the name of a loss, or that of its function or class."""
    return str(getattr(loss, "name", None) or getattr(loss, "__name__", type(loss).__name__))
