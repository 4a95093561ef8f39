"""Aliases for values that have no usable types in Keras, TensorFlow and gymnasium.

The aliases say what a value is. At run time most of them are `Any`, so that nothing heavy is
imported and the schema of a component is not affected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray
else:
    Array: TypeAlias = Any
    """A NumPy array."""

Tensor: TypeAlias = Any
"""A tensor: TensorFlow's, symbolic or eager, or Keras's."""

Variable: TypeAlias = Any
"""A `keras.Variable` or `tf.Variable`."""

Network: TypeAlias = Any
"""A `keras.Model`."""

Layer: TypeAlias = Any
"""A `keras.layers.Layer`, or another callable used as a layer."""

Optimizer: TypeAlias = Any
"""A `keras.optimizers.Optimizer`."""

Loss: TypeAlias = Any
"""A `keras.losses.Loss`, or another callable of labels and outputs."""

Metric: TypeAlias = Any
"""A `keras.metrics.Metric`."""

Dataset: TypeAlias = Any
"""A `tf.data.Dataset`."""

Space: TypeAlias = Any
"""A `gymnasium.Space`."""

Nested: TypeAlias = Any
"""A tensor or an array, or a mapping, list or tuple of such structures."""

Features: TypeAlias = Mapping[str, Any]
"""Tensors by the name of the feature."""

Labels: TypeAlias = Any
"""A tensor, tensors by name, or None."""

InputFn: TypeAlias = Any
"""A `Pipeline`, or a function that returns one, a `tf.data.Dataset` or tensors."""

Source: TypeAlias = Any
"""An `InputFn` or an environment, to train, evaluate or export with."""

Observations: TypeAlias = Any
"""An array [N, …], or arrays by name."""

Batch: TypeAlias = Mapping[str, Any]
"""Arrays or tensors by name, with a leading axis of examples or transitions."""

Part: TypeAlias = Any
"""The object that the factory of a component returns: a layer, a loss, a memory, …"""
