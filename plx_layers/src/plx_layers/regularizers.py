"""Regularizers by the names that TensorFlow 1 gave them, with its parameter and polyaxon-lib's default."""

from typing import Any

import keras

from plx_core.annotations import NonNegativeFloat


def l1_regularizer(scale: NonNegativeFloat = 0.001) -> Any:
    """The sum of the weights' absolute values, times `scale`: a scalar.

    Args:
        scale: what the sum is multiplied by.
    """
    return keras.regularizers.L1(scale)


def l2_regularizer(scale: NonNegativeFloat = 0.001) -> Any:
    """Half the sum of the weights' squares, times `scale`, as TensorFlow 1 had it: a scalar.

    Args:
        scale: what it is multiplied by.
    """
    return keras.regularizers.L2(scale / 2)
