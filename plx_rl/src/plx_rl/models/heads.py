"""The last layers of reinforcement learning's networks."""

from __future__ import annotations

from typing import Any, final

import keras
from keras import ops

from plx_core.types import Tensor
from plx_rl.losses.value_learning import Dueling, dueling

OUTPUTS = "float32"
"""What values and policies are computed in, whatever the layers before them are: rewards and losses are float32."""


@final
@keras.saving.register_keras_serializable("plx_rl")
class DuelingHead(keras.layers.Layer):
    """Action values [B, A] of a state's value and the actions' advantages, from hidden units [B, H].

    Args:
        num_actions: A.
        kind: what is taken off the advantages; see `plx_rl.losses.value_learning.dueling`.
        params: of a Keras layer.
    """

    def __init__(self, num_actions: int, kind: Dueling = "mean", **params: Any) -> None:
        super().__init__(**params)
        self._num_actions, self._kind = num_actions, kind
        self._value = keras.layers.Dense(1, dtype=self.dtype_policy, name="value")
        self._advantage = keras.layers.Dense(num_actions, dtype=self.dtype_policy, name="advantage")

    def build(self, input_shape: Tensor) -> None:
        """Make the two layers."""
        self._value.build(input_shape)
        self._advantage.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """The action values."""
        return dueling(self._value(inputs), self._advantage(inputs), self._kind)

    def compute_output_shape(self, input_shape: Tensor) -> Tensor:
        """[B, A]."""
        return (*input_shape[:-1], self._num_actions)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_actions": self._num_actions, "kind": self._kind}


@final
@keras.saving.register_keras_serializable("plx_rl")
class GaussianHead(keras.layers.Layer):
    """The parameters [B, 2D] of normal distributions, means and then log-deviations, from hidden units [B, H].

    The deviations are one variable a dimension and do not depend on the state. Source: Schulman et al. 2015, section 6.2.

    Args:
        size: D.
        log_std: the log-deviations at first.
        kernel_initializer: of the layer that gives the means.
        params: of a Keras layer.
    """

    def __init__(
        self,
        size: int,
        log_std: float = 0.0,
        kernel_initializer: Tensor = "glorot_uniform",
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._size, self._initial = size, log_std
        self._mean = keras.layers.Dense(
            size, kernel_initializer=kernel_initializer, dtype=self.dtype_policy, name="mean"
        )

    def build(self, input_shape: Tensor) -> None:
        """Make the layer and the variable."""
        self._mean.build(input_shape)
        self._log_std = self.add_weight(
            shape=(self._size,),
            initializer=keras.initializers.Constant(self._initial),
            name="log_std",
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Means, then log-deviations."""
        mean = self._mean(inputs)
        return ops.concatenate([mean, ops.broadcast_to(self._log_std, ops.shape(mean))], axis=-1)

    def compute_output_shape(self, input_shape: Tensor) -> Tensor:
        """[B, 2D]."""
        return (*input_shape[:-1], 2 * self._size)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        initializer = keras.initializers.serialize(self._mean.kernel_initializer)
        return {
            **super().get_config(),
            "size": self._size,
            "log_std": self._initial,
            "kernel_initializer": initializer,
        }
