"""The layers of polyaxon-lib's JSON dialect, with the parameters that they had: `FullyConnected`, `Conv2d`, `MaxPool2d` and siblings.

Each can also be called as polyaxon-lib did, with the mode first: `FullyConnected(mode, num_units=512)(x)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import keras

from plx_core import Modes
from plx_core.annotations import (
    ActivationLike,
    Fraction,
    InitializerLike,
    PositiveInt,
    RegularizerLike,
)
from plx_layers.activations import activated_shape

Size: TypeAlias = PositiveInt | list[PositiveInt]
Padding: TypeAlias = Literal["SAME", "VALID", "same", "valid"]


@keras.saving.register_keras_serializable("plx_layers")
class FullyConnected(keras.layers.Dense):
    """A dense layer that flattens what it is given: [batch, …] to [batch, num_units].

    Args:
        mode: unused; polyaxon-lib gave it first.
        num_units: how many outputs.
        activation: what is applied to them.
        bias: whether a bias is added.
        weights_init: the initial weights.
        bias_init: the initial bias.
        regularizer: the penalty on the weights.
        dropout: the share of the inputs that is dropped in training.
        trainable: whether the weights are updated.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_units: PositiveInt,
        activation: ActivationLike = "linear",
        bias: bool = True,
        weights_init: InitializerLike = "glorot_uniform",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = None,
        dropout: Fraction | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            num_units,
            activation,
            bias,
            weights_init,
            bias_init,
            kernel_regularizer=regularizer,
            trainable=trainable,
            name=name,
        )
        self._flatten = keras.layers.Flatten()
        self._dropout = keras.layers.Dropout(dropout) if dropout else None
        self.input_spec = None

    def build(self, input_shape: Any) -> None:
        """Make the weights for the flattened inputs."""
        super().build(self._flatten.compute_output_shape(input_shape))
        self.input_spec = None

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Float [batch, num_units]."""
        flat = self._flatten(inputs)
        return super().call(
            self._dropout(flat, training=training) if self._dropout is not None else flat
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """[batch, num_units]."""
        return activated_shape(self.activation, (input_shape[0], self.units))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        parent = super().get_config()
        names = {
            "units": "num_units",
            "activation": "activation",
            "use_bias": "bias",
            "kernel_initializer": "weights_init",
        }
        names |= {
            "bias_initializer": "bias_init",
            "kernel_regularizer": "regularizer",
            "trainable": "trainable",
            "name": "name",
        }
        return {new: parent[old] for old, new in names.items()} | {
            "dropout": self._dropout.rate if self._dropout is not None else None
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FullyConnected:
        """The layer of a configuration."""
        objects = {
            "activation": keras.activations,
            "weights_init": keras.initializers,
            "bias_init": keras.initializers,
        }
        objects["regularizer"] = keras.regularizers
        return cls(
            **{
                name: objects[name].get(value) if name in objects else value
                for name, value in config.items()
            }
        )


CONVOLUTION_ARGS = """

Args:
    num_filter: how many filters, which are the channels of the output.
    filter_size: the size of a filter along each axis, or along all.
    strides: how far apart the filter's places are.
    padding: `same` keeps places at the edge by padding with zeros, `valid` leaves them out.
    activation: what is applied to the outputs.
    bias: whether a bias is added.
    weights_init: the initial weights.
    bias_init: the initial bias.
    regularizer: the penalty on the weights.
"""
POOLING_ARGS = """

Args:
    kernel_size: the size of a window along each axis, or along all.
    strides: how far apart windows are; as far as they are large when left out.
    padding: `same` keeps windows that reach over the edge, `valid` leaves them out.
"""


def _convolution(layer: Callable[..., Any], shapes: str) -> Callable[..., Any]:
    def convolve(
        mode: str = Modes.TRAIN,
        *,
        num_filter: PositiveInt,
        filter_size: Size,
        strides: Size = 1,
        padding: Padding = "SAME",
        activation: ActivationLike = "linear",
        bias: bool = True,
        weights_init: InitializerLike = "glorot_uniform",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> Any:
        return layer(
            num_filter,
            filter_size,
            strides=strides,
            padding=padding.lower(),
            activation=activation,
            use_bias=bias,
            kernel_initializer=weights_init,
            bias_initializer=bias_init,
            kernel_regularizer=regularizer,
            trainable=trainable,
            name=name,
        )

    convolve.__doc__ = (
        f"A convolution of `num_filter` filters of size `filter_size`: {shapes}.{CONVOLUTION_ARGS}"
    )
    return convolve


def _pooling(layer: Callable[..., Any], what: str, shapes: str) -> Callable[..., Any]:
    def pool(
        mode: str = Modes.TRAIN,
        *,
        kernel_size: Size,
        strides: Size | None = None,
        padding: Padding = "SAME",
        name: str | None = None,
    ) -> Any:
        return layer(kernel_size, strides=strides, padding=padding.lower(), name=name)

    pool.__doc__ = f"The {what} of each window of size `kernel_size`: {shapes}.{POOLING_ARGS}"
    return pool


_LENGTHS = "[batch, length, channels] to [batch, length / strides, {}]"
_IMAGES = "[batch, height, width, channels] to [batch, height / strides, width / strides, {}]"
_VOLUMES = "[batch, depth, height, width, channels] to [batch, depth / strides, height / strides, width / strides, {}]"

Conv1d = _convolution(keras.layers.Conv1D, _LENGTHS.format("num_filter"))
Conv2d = _convolution(keras.layers.Conv2D, _IMAGES.format("num_filter"))
Conv3d = _convolution(keras.layers.Conv3D, _VOLUMES.format("num_filter"))
Conv2dTranspose = _convolution(
    keras.layers.Conv2DTranspose,
    "[batch, height, width, channels] to [batch, height · strides, width · strides, num_filter]",
)
MaxPool1d = _pooling(keras.layers.MaxPooling1D, "largest value", _LENGTHS.format("channels"))
MaxPool2d = _pooling(keras.layers.MaxPooling2D, "largest value", _IMAGES.format("channels"))
MaxPool3d = _pooling(keras.layers.MaxPooling3D, "largest value", _VOLUMES.format("channels"))
AvgPool1d = _pooling(keras.layers.AveragePooling1D, "mean", _LENGTHS.format("channels"))
AvgPool2d = _pooling(keras.layers.AveragePooling2D, "mean", _IMAGES.format("channels"))
AvgPool3d = _pooling(keras.layers.AveragePooling3D, "mean", _VOLUMES.format("channels"))


def Upsample2d(mode: str = Modes.TRAIN, *, kernel_size: Size, name: str | None = None) -> Any:  # noqa: N802 (a layer's name)
    """Repeat rows and columns: [batch, height, width, channels] to [batch, height · kernel_size, width · kernel_size, channels].

    Args:
        mode: unused; polyaxon-lib gave it first.
        kernel_size: how often, along each of the two axes or along both.
        name: the layer's name.
    """
    return keras.layers.UpSampling2D(kernel_size, name=name)
