"""Regularizers by the names of TensorFlow 1, with its parameter and polyaxon-lib's default."""

from __future__ import annotations

import keras

from plx_core.annotations import NonNegativeFloat


def l1_regularizer(scale: NonNegativeFloat = 0.001) -> keras.regularizers.Regularizer:
    """Penalise the sum of the weights' absolute values times `scale`, a scalar.

    Args:
        scale: the factor.
    """
    return keras.regularizers.L1(scale)


def l2_regularizer(scale: NonNegativeFloat = 0.001) -> keras.regularizers.Regularizer:
    """Penalise half the sum of the weights' squares times `scale`, a scalar, as in TensorFlow 1.

    Args:
        scale: the factor.
    """
    return keras.regularizers.L2(scale / 2)
