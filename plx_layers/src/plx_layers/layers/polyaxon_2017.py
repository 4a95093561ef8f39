"""The layers of polyaxon-lib's JSON dialect by name, with its parameters.

As in polyaxon-lib, the mode may come first: `FullyConnected(mode, num_units=512)(x)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import keras

from plx_core import Modes, accept_older_names, make
from plx_core.annotations import (
    ActivationLike,
    Fraction,
    InitializerLike,
    NonNegativeFloat,
    PositiveInt,
    RegularizerLike,
)
from plx_core.types import Tensor
from plx_layers.activations import activated_shape

Size: TypeAlias = PositiveInt | list[PositiveInt]
Padding: TypeAlias = Literal["SAME", "VALID", "same", "valid"]


SCALE = 0.001
"""The strength of `l1_regularizer` and `l2_regularizer` by default."""


def scaled(
    regularizer: RegularizerLike | None, scale: float | None
) -> keras.regularizers.Regularizer | None:
    """Return a regularizer of the strength `SCALE` at another one, or as it is if that is None.

    Raises:
        ValueError: the regularizer has no such strength.
    """
    regularizer = make("regularizers", regularizer)
    if regularizer is None or scale is None:
        return regularizer
    config = regularizer.get_config()
    if not isinstance(
        regularizer, (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
    ):
        raise ValueError(
            f"scale is the strength of l1_regularizer or l2_regularizer, not of {regularizer!r}"
        )
    strengths = {name: float(value) * scale / SCALE for name, value in config.items()}
    return type(regularizer)(**strengths)


def fresh(initializer: InitializerLike) -> Callable[..., Tensor]:
    """Return an initializer that draws other numbers than the one it copies, unless seeded."""
    initializer = keras.initializers.get(make("initializers", initializer))
    clone = getattr(initializer, "clone", None)
    return initializer if clone is None else clone()  # type: ignore[no-any-return]


NAMES_OF_2017 = {
    "units": "num_units",
    "activation": "activation",
    "use_bias": "bias",
    "kernel_initializer": "weights_init",
    "bias_initializer": "bias_init",
    "kernel_regularizer": "regularizer",
    "trainable": "trainable",
    "name": "name",
}
"""The parameters of Keras's `Dense`, with polyaxon-lib's names for them."""


MODULES = {
    "activation": keras.activations,
    "weights_init": keras.initializers,
    "bias_init": keras.initializers,
    "regularizer": keras.regularizers,
}
"""The modules of Keras that write and read the parameters of these names."""


def serialize(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a layer as data."""
    return {
        name: MODULES[name].serialize(value) if name in MODULES and value is not None else value
        for name, value in params.items()
    }


def deserialize(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a layer from data."""
    return {
        name: MODULES[name].get(value) if name in MODULES else value
        for name, value in config.items()
    }


class OwnLayer(keras.layers.Layer):
    """The base of layers that Keras has not: their parameters, also in a saved model.

    Args:
        params: the constructor's parameters but for those below; `activation`, `weights_init` and
            `bias_init` among them.
        regularizer: the penalty on the weights.
        scale: see `scaled`.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        regularizer: RegularizerLike | None,
        scale: float | None,
        trainable: bool,
        name: str | None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._params: dict[str, Any] = {
            **params,
            "activation": keras.activations.get(make("activations", params["activation"])),
            "weights_init": fresh(params["weights_init"]),
            "bias_init": fresh(params["bias_init"]),
            "regularizer": scaled(regularizer, scale),
        }

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**serialize(self._params), "trainable": self.trainable, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.layers.Layer:
        """Build a layer from its configuration."""
        return cls(**deserialize(config))


@keras.saving.register_keras_serializable("plx_layers")
class FullyConnected(keras.layers.Dense):
    """A dense layer that flattens its inputs: [batch, …] to [batch, num_units].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_units: the number of outputs.
        activation: the activation of the outputs.
        bias: whether to add a bias.
        weights_init: the initial weights.
        bias_init: the initial bias.
        regularizer: the penalty on the weights.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        dropout: the share of the inputs to drop in training.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    @accept_older_names(n_units="num_units")
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
        scale: NonNegativeFloat | None = None,
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
            kernel_regularizer=scaled(regularizer, scale),
            trainable=trainable,
            name=name,
        )
        self._flatten = keras.layers.Flatten()
        self._dropout = keras.layers.Dropout(dropout) if dropout else None
        self.input_spec = None

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for the flattened inputs."""
        super().build(self._flatten.compute_output_shape(input_shape))
        self.input_spec = None

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the outputs, float [batch, num_units]."""
        inputs = self._flatten(inputs)
        if self._dropout is not None:
            inputs = self._dropout(inputs, training=training)
        return super().call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return [batch, num_units]."""
        return activated_shape(self.activation, (input_shape[0], self.units))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keras_config = super().get_config()
        config = {new: keras_config[old] for old, new in NAMES_OF_2017.items()}
        config["dropout"] = None if self._dropout is None else self._dropout.rate
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> FullyConnected:
        """Build a layer from its configuration."""
        return cls(**deserialize(config))


CONVOLUTION_ARGS = """

Args:
    num_filter: the number of filters, which are the channels of the output.
    filter_size: the size of a filter, along each axis or along all.
    strides: the distance between two positions of the filter.
    padding: `same` pads the input with zeros, `valid` keeps the filter within the input.
    activation: the activation of the outputs.
    bias: whether to add a bias.
    weights_init: the initial weights.
    bias_init: the initial bias.
    regularizer: the penalty on the weights.
    scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
"""
POOLING_ARGS = """

Args:
    kernel_size: the size of a window, along each axis or along all.
    strides: the distance between two windows; the size of a window when omitted.
    padding: `same` keeps windows that reach over the edge, `valid` drops them.
"""


def _convolution(
    layer: Callable[..., keras.layers.Layer], shapes: str
) -> Callable[..., keras.layers.Layer]:
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
        scale: NonNegativeFloat | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> keras.layers.Layer:
        return layer(
            num_filter,
            filter_size,
            strides=strides,
            padding=padding.lower(),
            activation=activation,
            use_bias=bias,
            kernel_initializer=weights_init,
            bias_initializer=bias_init,
            kernel_regularizer=scaled(regularizer, scale),
            trainable=trainable,
            name=name,
        )

    convolve.__doc__ = f"Convolve with `num_filter` filters: {shapes}.{CONVOLUTION_ARGS}"
    return convolve


def _pooling(
    layer: Callable[..., keras.layers.Layer], statistic: str, shapes: str
) -> Callable[..., keras.layers.Layer]:
    def pool(
        mode: str = Modes.TRAIN,
        *,
        kernel_size: Size,
        strides: Size | None = None,
        padding: Padding = "SAME",
        name: str | None = None,
    ) -> keras.layers.Layer:
        return layer(kernel_size, strides=strides, padding=padding.lower(), name=name)

    pool.__doc__ = f"Take the {statistic} of each window: {shapes}.{POOLING_ARGS}"
    return pool


_LENGTHS = "[batch, length, channels] to [batch, length / strides, {}]"
_IMAGES = "[batch, height, width, channels] to [batch, height / strides, width / strides, {}]"
_VOLUMES = (
    "[batch, depth, height, width, channels] to "
    "[batch, depth / strides, height / strides, width / strides, {}]"
)

Conv1d = _convolution(keras.layers.Conv1D, _LENGTHS.format("num_filter"))
Conv2d = _convolution(keras.layers.Conv2D, _IMAGES.format("num_filter"))
Conv3d = _convolution(keras.layers.Conv3D, _VOLUMES.format("num_filter"))
Conv2dTranspose = _convolution(
    keras.layers.Conv2DTranspose,
    "[batch, height, width, channels] to [batch, height · strides, width · strides, num_filter]",
)
MaxPool1d = _pooling(keras.layers.MaxPooling1D, "maximum", _LENGTHS.format("channels"))
MaxPool2d = _pooling(keras.layers.MaxPooling2D, "maximum", _IMAGES.format("channels"))
MaxPool3d = _pooling(keras.layers.MaxPooling3D, "maximum", _VOLUMES.format("channels"))
AvgPool1d = _pooling(keras.layers.AveragePooling1D, "mean", _LENGTHS.format("channels"))
AvgPool2d = _pooling(keras.layers.AveragePooling2D, "mean", _IMAGES.format("channels"))
AvgPool3d = _pooling(keras.layers.AveragePooling3D, "mean", _VOLUMES.format("channels"))


def Upsample2d(  # noqa: N802 (a layer's name)
    mode: str = Modes.TRAIN, *, kernel_size: Size, name: str | None = None
) -> keras.layers.Layer:
    """Repeat rows and columns.

    [batch, height, width, channels] to [batch, height · kernel_size, width · kernel_size,
    channels].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        kernel_size: the number of repeats, along each of the two axes or along both.
        name: the layer's name.
    """
    return keras.layers.UpSampling2D(kernel_size, name=name)


def GlobalAvgPool(mode: str = Modes.TRAIN, *, name: str | None = None) -> keras.layers.Layer:  # noqa: N802
    """Take the mean of each channel: [batch, height, width, channels] to [batch, channels].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        name: the layer's name.
    """
    return keras.layers.GlobalAveragePooling2D(name=name)


def GlobalMaxPool(mode: str = Modes.TRAIN, *, name: str | None = None) -> keras.layers.Layer:  # noqa: N802
    """Take the maximum of each channel: [batch, height, width, channels] to [batch, channels].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        name: the layer's name.
    """
    return keras.layers.GlobalMaxPooling2D(name=name)
