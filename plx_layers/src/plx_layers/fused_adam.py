"""Adam and AdamW, whose update of a large variable is one operation of TensorFlow's instead of a dozen of Keras's."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

FUSED_SIZE = 2**14
"""From so many numbers on: in a smaller variable the operation's threads cost more than the passes over memory that it saves."""


class _Fused(keras.optimizers.Adam):
    """Adam's update as one pass over a variable and its moments; the same numbers but for rounding."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras's hook: change a variable by its gradient, and the moments of both."""
        if not self._is_fusible(gradient, variable):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        rate, step, beta_1, beta_2, epsilon = (
            tf.cast(value, tf.float32) for value in (learning_rate, self.iterations + 1, self.beta_1, self.beta_2, self.epsilon)
        )
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=beta_1**step,
            beta2_power=beta_2**step,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon,
            grad=gradient,
        )

    def _is_fusible(self, gradient: Any, variable: Any) -> bool:
        is_plain = isinstance(gradient, tf.Tensor) and gradient.dtype == tf.float32 and tf.as_dtype(variable.dtype) == tf.float32
        return is_plain and not self.amsgrad and math.prod(variable.shape) >= FUSED_SIZE


def _handle(variable: Any) -> Any:
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


@keras.saving.register_keras_serializable("plx_layers")
class Adam(_Fused):  # noqa: D101
    __doc__ = keras.optimizers.Adam.__doc__


@keras.saving.register_keras_serializable("plx_layers")
class AdamW(_Fused, keras.optimizers.AdamW):  # noqa: D101
    __doc__ = keras.optimizers.AdamW.__doc__
