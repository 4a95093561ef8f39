"""Adam and AdamW with a third fewer operations: shared values are computed once per step.

A small model spends its time on the number of its operations, more than half of which are Keras's
Adam.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
import tensorflow as tf
from attrs import frozen

from plx_core.types import Tensor, Variable

FUSED_SIZE = 2**14
"""The size from which a variable is updated by a single operation.

For smaller ones, its threads cost more than it saves in passes over memory.
"""


@frozen
class _Shared:
    """What the updates of all variables in a step share, float32 scalars.

    Args:
        beta_1_power: β₁ᵗ.
        beta_2_power: β₂ᵗ.
        rate: the learning rate.
        unbiased_rate: the learning rate with the bias correction of both moments.
    """

    beta_1_power: Tensor
    beta_2_power: Tensor
    rate: Tensor
    unbiased_rate: Tensor


class _FusedAdam(keras.optimizers.Adam):
    """Keras's Adam in fewer operations.

    Bit-identical to keras.optimizers.Adam, except for rounding in variables of at least FUSED_SIZE
    elements.
    """

    _current: _Shared | None = None

    def apply(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update variables by their gradients."""
        self._current = self._shared()
        super().apply(grads, trainable_variables)
        self._current = None

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        """Update a variable and its moments by its gradient; Keras calls this."""
        is_float = (
            isinstance(gradient, tf.Tensor)
            and gradient.dtype == tf.float32
            and tf.as_dtype(variable.dtype) == tf.float32
        )
        if self.amsgrad or not is_float:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        update = self._update_fused if math.prod(variable.shape) >= FUSED_SIZE else self._update
        update(
            _raw(variable),
            _raw(self._momentums[index]),
            _raw(self._velocities[index]),
            gradient,
            self._current or self._shared(),
        )

    def _shared(self) -> _Shared:
        step = tf.cast(self.iterations + 1, tf.float32)
        beta_1_power = tf.pow(tf.cast(self.beta_1, tf.float32), step)
        beta_2_power = tf.pow(tf.cast(self.beta_2, tf.float32), step)
        rate = tf.cast(self.learning_rate, tf.float32)
        unbiased_rate = rate * tf.sqrt(1 - beta_2_power) / (1 - beta_1_power)
        return _Shared(beta_1_power, beta_2_power, rate, unbiased_rate)

    def _update(
        self, variable: Variable, m: Variable, v: Variable, gradient: Tensor, shared: _Shared
    ) -> None:
        first = m.read_value()
        second = v.read_value()
        first = first + (gradient - first) * (1 - self.beta_1)
        second = second + (tf.square(gradient) - second) * (1 - self.beta_2)
        m.assign(first, read_value=False)
        v.assign(second, read_value=False)
        variable.assign_sub(
            first * shared.unbiased_rate / (tf.sqrt(second) + self.epsilon), read_value=False
        )

    def _update_fused(
        self, variable: Variable, m: Variable, v: Variable, gradient: Tensor, shared: _Shared
    ) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=m.handle,
            v=v.handle,
            beta1_power=shared.beta_1_power,
            beta2_power=shared.beta_2_power,
            lr=shared.rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _raw(variable: Variable) -> Variable:
    """Return TensorFlow's variable of a Keras variable."""
    return variable.value if isinstance(variable, keras.Variable) else variable


@keras.saving.register_keras_serializable("plx_layers")
class Adam(_FusedAdam):  # noqa: D101
    __doc__ = keras.optimizers.Adam.__doc__


@keras.saving.register_keras_serializable("plx_layers")
class AdamW(_FusedAdam, keras.optimizers.AdamW):  # noqa: D101
    __doc__ = keras.optimizers.AdamW.__doc__
