"""The last layers of the networks of reinforcement learning."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import keras
from keras import ops

from plx_core.annotations import InitializerLike
from plx_core.types import Tensor
from plx_rl.losses.value_learning import Dueling, dueling

Shape: TypeAlias = tuple[int | None, ...]

OUTPUTS = "float32"
"""The dtype of values and policies, whatever that of the layers before: losses are float32."""


@final
@keras.saving.register_keras_serializable("plx_rl")
class DuelingHead(keras.layers.Layer):
    """Combines a state value and advantages into action values [B, A], from hidden units [B, H].

    Args:
        num_actions: A.
        kind: the aggregation; see `plx_rl.losses.value_learning.dueling`.
        params: the parameters of a Keras layer.
    """

    def __init__(self, num_actions: int, kind: Dueling = "mean", **params: Any) -> None:
        super().__init__(**params)
        self._num_actions = num_actions
        self._kind = kind
        self._value = keras.layers.Dense(1, dtype=self.dtype_policy, name="value")
        self._advantage = keras.layers.Dense(num_actions, dtype=self.dtype_policy, name="advantage")

    def build(self, input_shape: Shape) -> None:
        """Build the two layers."""
        self._value.build(input_shape)
        self._advantage.build(input_shape)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the action values."""
        return dueling(self._value(inputs), self._advantage(inputs), self._kind)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [B, A]."""
        return (*input_shape[:-1], self._num_actions)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_actions": self._num_actions, "kind": self._kind}


@final
@keras.saving.register_keras_serializable("plx_rl")
class GaussianHead(keras.layers.Layer):
    """Computes the parameters [B, 2D] of normal distributions from hidden units [B, H].

    The means come first, then the log standard deviations, which are variables and do not depend on
    the state. Source: Schulman et al. 2015, section 6.2.

    Args:
        size: D.
        log_std: the initial log standard deviations.
        kernel_initializer: the initializer of the layer of the means.
        params: the parameters of a Keras layer.
    """

    def __init__(
        self,
        size: int,
        log_std: float = 0.0,
        kernel_initializer: InitializerLike = "glorot_uniform",
        **params: Any,
    ) -> None:
        super().__init__(**params)
        self._size = size
        self._initial_log_std = log_std
        self._mean = keras.layers.Dense(
            size, kernel_initializer=kernel_initializer, dtype=self.dtype_policy, name="mean"
        )

    def build(self, input_shape: Shape) -> None:
        """Build the layer and the variable."""
        self._mean.build(input_shape)
        self._log_std = self.add_weight(
            shape=(self._size,),
            initializer=keras.initializers.Constant(self._initial_log_std),
            name="log_std",
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Return the means and the log standard deviations."""
        mean = self._mean(inputs)
        return ops.concatenate([mean, ops.broadcast_to(self._log_std, ops.shape(mean))], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [B, 2D]."""
        return (*input_shape[:-1], 2 * self._size)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self._mean.kernel_initializer)
        return {
            **super().get_config(),
            "size": self._size,
            "log_std": self._initial_log_std,
            "kernel_initializer": initializer,
        }
