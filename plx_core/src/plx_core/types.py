"""Names for what annotations can only call Any: Keras, TensorFlow and gymnasium ship no usable types.

The aliases say what a value is. At run time each of them but `Array` is `Any`, so that nothing heavy
is imported and a component's schema is not affected.
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
"""A `keras.layers.Layer`, or what can be called as one."""

Optimizer: TypeAlias = Any
"""A `keras.optimizers.Optimizer`."""

Metric: TypeAlias = Any
"""A `keras.metrics.Metric`."""

Dataset: TypeAlias = Any
"""A `tf.data.Dataset`."""

Space: TypeAlias = Any
"""A `gymnasium.Space`."""

Nested: TypeAlias = Any
"""A structure of tensors or arrays: one of them, or mappings, lists and tuples of such structures."""

Features: TypeAlias = Mapping[str, Any]
"""Tensors by the name of the feature."""

Labels: TypeAlias = Any
"""A tensor, tensors by name, or None."""

InputFn: TypeAlias = Any
"""A source of batches: a `Pipeline`, or a function that returns one, a `tf.data.Dataset`, or tensors."""

Source: TypeAlias = Any
"""What an experiment trains or evaluates on: an `InputFn` or an environment."""

Observations: TypeAlias = Any
"""An array [N, …], or arrays by name."""

Batch: TypeAlias = Mapping[str, Any]
"""Arrays or tensors by name, with a leading axis of examples or transitions."""
