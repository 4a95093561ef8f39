"""Adam and AdamW in a third fewer operations than Keras's: what all variables share is computed once in a step, not for each of them.

A small model's time goes into the number of its operations, of which Keras's Adam makes more than half.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf
from attrs import frozen

FUSED_SIZE = 2**14
"""From so many numbers on an update is one operation: in a smaller variable its threads cost more than the passes over memory
that it saves."""


@frozen
class _Shared:
    """What the updates of all variables in a step have in common, float32 scalars: β₁ᵗ, β₂ᵗ, the rate, and it with both biases undone."""

    beta_1_power: Any
    beta_2_power: Any
    rate: Any
    unbiased_rate: Any


class _Fused(keras.optimizers.Adam):
    """The numbers are Keras's; but for rounding in variables of `FUSED_SIZE` and more."""

    _in_common: _Shared | None = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Change variables by their gradients."""
        self._in_common = self._shared()
        super().apply(grads, trainable_variables)
        self._in_common = None

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras's hook: change a variable by its gradient, and the moments of both."""
        is_float = (
            isinstance(gradient, tf.Tensor)
            and gradient.dtype == tf.float32
            and tf.as_dtype(variable.dtype) == tf.float32
        )
        if self.amsgrad or not is_float:
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        update = self._update_at_once if math.prod(variable.shape) >= FUSED_SIZE else self._update
        update(
            _raw(variable),
            _raw(self._momentums[index]),
            _raw(self._velocities[index]),
            gradient,
            self._in_common or self._shared(),
        )

    def _shared(self) -> _Shared:
        step = tf.cast(self.iterations + 1, tf.float32)
        first, second = (
            tf.pow(tf.cast(beta, tf.float32), step) for beta in (self.beta_1, self.beta_2)
        )
        rate = tf.cast(self.learning_rate, tf.float32)
        return _Shared(first, second, rate, rate * tf.sqrt(1 - second) / (1 - first))

    def _update(self, variable: Any, m: Any, v: Any, gradient: Any, shared: _Shared) -> None:
        first, second = m.read_value(), v.read_value()
        first = first + (gradient - first) * (1 - self.beta_1)
        second = second + (tf.square(gradient) - second) * (1 - self.beta_2)
        m.assign(first, read_value=False)
        v.assign(second, read_value=False)
        variable.assign_sub(
            first * shared.unbiased_rate / (tf.sqrt(second) + self.epsilon), read_value=False
        )

    def _update_at_once(
        self, variable: Any, m: Any, v: Any, gradient: Any, shared: _Shared
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


def _raw(variable: Any) -> Any:
    """TensorFlow's variable within Keras's."""
    return variable.value if isinstance(variable, keras.Variable) else variable


@keras.saving.register_keras_serializable("plx_layers")
class Adam(_Fused):  # noqa: D101
    __doc__ = keras.optimizers.Adam.__doc__


@keras.saving.register_keras_serializable("plx_layers")
class AdamW(_Fused, keras.optimizers.AdamW):  # noqa: D101
    __doc__ = keras.optimizers.AdamW.__doc__
