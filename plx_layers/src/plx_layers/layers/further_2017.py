"""Layers of polyaxon-lib's JSON dialect that Keras does not have.

As in polyaxon-lib, the mode may come first: `Highway(mode, n_units=8)(x)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
import tensorflow as tf
from keras import ops

from plx_core import Modes
from plx_core.annotations import (
    ActivationLike,
    Fraction,
    InitializerLike,
    PositiveFloat,
    PositiveInt,
)
from plx_core.types import Tensor

Shape = tuple[int | None, ...]
MergeMode = Literal[
    "concat", "elemwise_sum", "elemwise_mul", "sum", "mean", "prod", "max", "min", "and", "or"
]
REDUCTIONS = {
    "sum": ops.sum,
    "mean": ops.mean,
    "prod": ops.prod,
    "max": ops.max,
    "min": ops.min,
    "and": ops.all,
    "or": ops.any,
}


def GlobalAvgPool(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN, *, name: str | None = None
) -> keras.layers.Layer:
    """Take the mean of an image: [batch, height, width, channels] to [batch, channels].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        name: the layer's name.
    """
    return keras.layers.GlobalAveragePooling2D(name=name)


def GlobalMaxPool(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN, *, name: str | None = None
) -> keras.layers.Layer:
    """Take the maximum of an image: [batch, height, width, channels] to [batch, channels].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        name: the layer's name.
    """
    return keras.layers.GlobalMaxPooling2D(name=name)


@keras.saving.register_keras_serializable("plx_layers")
class LocalResponseNormalization(keras.layers.Layer):
    """Divide by the response of neighbouring channels; [batch, height, width, channels] stays.

    Source: Krizhevsky, Sutskever and Hinton 2012.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        depth_radius: the number of neighbours on each side.
        bias: the response of no neighbours.
        alpha: the factor of the sum of squares.
        beta: the exponent.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        depth_radius: PositiveInt = 5,
        bias: PositiveFloat = 1.0,
        alpha: PositiveFloat = 1e-4,
        beta: PositiveFloat = 0.75,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.depth_radius, self.bias, self.alpha, self.beta = depth_radius, bias, alpha, beta

    def call(self, inputs: Tensor) -> Tensor:
        """Return the normalised inputs, in their shape."""
        return tf.nn.local_response_normalization(
            inputs, self.depth_radius, self.bias, self.alpha, self.beta
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the inputs' shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("depth_radius", "bias", "alpha", "beta", "name")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("plx_layers")
class OneHotEncoding(keras.layers.Layer):
    """Encode classes: int [batch, …] to float [batch, …, n_classes].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        n_classes: the number of classes; others than 0 to `n_classes` - 1 are `off_value` alone.
        on_value: the value of the class.
        off_value: the value of all others.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        n_classes: PositiveInt,
        on_value: float = 1.0,
        off_value: float = 0.0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.n_classes, self.on_value, self.off_value = n_classes, on_value, off_value

    def call(self, inputs: Tensor) -> Tensor:
        """Return the encoded classes."""
        encoded = ops.one_hot(ops.cast(inputs, "int64"), self.n_classes, dtype=self.compute_dtype)
        return self.off_value + (self.on_value - self.off_value) * encoded

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, …, n_classes]."""
        return (*input_shape, self.n_classes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("n_classes", "on_value", "off_value", "name")
        return {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable("plx_layers")
class Merge(keras.layers.Layer):
    """Merge several tensors into one.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        merge_mode: `concat` joins them along the axis; `elemwise_sum` and `elemwise_mul` combine
            tensors of one shape; the others reduce what is joined, and remove the axis.
        axis: the axis.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        merge_mode: MergeMode,
        axis: int = 1,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.merge_mode, self.axis = merge_mode, axis

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the merged tensor."""
        if self.merge_mode == "elemwise_sum":
            return sum(inputs[1:], inputs[0])
        if self.merge_mode == "elemwise_mul":
            product = inputs[0]
            for factor in inputs[1:]:
                product = product * factor
            return product
        joined = ops.concatenate(inputs, axis=self.axis)
        if self.merge_mode == "concat":
            return joined
        return REDUCTIONS[self.merge_mode](joined, axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"merge_mode": self.merge_mode, "axis": self.axis, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class Slice(keras.layers.Layer):
    """Cut a box out of a tensor, as `tf.slice` does.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        begin: the first index along each axis, that of the batch included.
        size: the number of indices along each axis; -1 for all that follow.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        begin: list[int],
        size: list[int],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.begin, self.size = list(begin), list(size)

    def call(self, inputs: Tensor) -> Tensor:
        """Return the box."""
        return tf.slice(inputs, self.begin, self.size)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the sizes; those of -1 are what is left of the inputs."""
        left = [
            None if length is None else length - begin
            for length, begin in zip(input_shape, self.begin, strict=True)
        ]
        return tuple(a if size == -1 else size for a, size in zip(left, self.size, strict=True))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"begin": self.begin, "size": self.size, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class Highway(keras.layers.Layer):
    """A dense layer with a gate that carries its inputs: [batch, …] to [batch, n_units].

    Source: Srivastava, Greff and Schmidhuber 2015, Highway Networks.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        n_units: the number of outputs, which is that of the flattened inputs.
        activation: the activation of the dense layer.
        transform_dropout: the share of the gate to drop in training.
        weights_init: the initial weights of the dense layer and the gate.
        bias_init: the initial bias of the dense layer; the gate's is -1.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        n_units: PositiveInt,
        activation: ActivationLike = "linear",
        transform_dropout: Fraction | None = None,
        weights_init: InitializerLike = "glorot_uniform",
        bias_init: InitializerLike = "zeros",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.n_units, self.transform_dropout = n_units, transform_dropout
        self.activation = keras.activations.get(activation)
        self.weights_init = keras.initializers.get(weights_init)
        self.bias_init = keras.initializers.get(bias_init)
        self._flatten = keras.layers.Flatten()
        self._dropout = keras.layers.Dropout(transform_dropout or 0.0)

    def build(self, input_shape: Shape) -> None:
        """Create the weights.

        Raises:
            ValueError: the flattened inputs have another number of features than `n_units`.
        """
        features = self._flatten.compute_output_shape(input_shape)[-1]
        if features != self.n_units:
            raise ValueError(
                f"a Highway carries its inputs, so n_units has to be their number of features, "
                f"{features}; got {self.n_units}"
            )
        shape = (features, features)
        self.w = self.add_weight(shape=shape, initializer=self.weights_init, name="w")
        self.b = self.add_weight(shape=(features,), initializer=self.bias_init, name="b")
        gate_init = keras.initializers.get(keras.initializers.serialize(self.weights_init))
        self.w_t = self.add_weight(shape=shape, initializer=gate_init, name="w_t")
        minus_one = keras.initializers.Constant(-1.0)
        self.b_t = self.add_weight(shape=(features,), initializer=minus_one, name="b_t")

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the outputs, float [batch, n_units]."""
        inputs = self._flatten(inputs)
        transformed = self.activation(ops.matmul(inputs, self.w) + self.b)
        gate = ops.sigmoid(ops.matmul(inputs, self.w_t) + self.b_t)
        gate = self._dropout(gate, training=training)
        return transformed * gate + inputs * (1.0 - gate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, n_units]."""
        return (input_shape[0], self.n_units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "n_units": self.n_units,
            "activation": keras.activations.serialize(self.activation),
            "transform_dropout": self.transform_dropout,
            "weights_init": keras.initializers.serialize(self.weights_init),
            "bias_init": keras.initializers.serialize(self.bias_init),
            "name": self.name,
        }
