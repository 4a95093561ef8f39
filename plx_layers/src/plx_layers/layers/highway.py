"""Highway layers, which learn how much of their input to carry through.

Source: Srivastava, Greff and Schmidhuber 2015, "Highway Networks".
"""

from __future__ import annotations

from typing import ClassVar

import keras
from keras import ops

from plx_core import Modes
from plx_core.annotations import (
    ActivationLike,
    Fraction,
    InitializerLike,
    NonNegativeFloat,
    PositiveInt,
    RegularizerLike,
)
from plx_core.types import Tensor
from plx_layers.layers.polyaxon_2017 import OwnLayer, Padding, Size, fresh

Shape = tuple[int | None, ...]


def combine(transformed: Tensor, gate: Tensor, carried: Tensor) -> Tensor:
    """Return T · H + (1 - T) · x, each float [batch, …]."""
    return gate * transformed + (1.0 - gate) * carried


@keras.saving.register_keras_serializable("plx_layers")
class Highway(OwnLayer):
    """A dense highway layer: T · f(W x + b) + (1 - T) · x, with T = σ(W' x + b').

    It flattens its inputs, of which there must be `num_units`: [batch, …] to [batch, num_units].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_units: the number of outputs.
        activation: f.
        transform_dropout: the share of the gates T to drop in training.
        weights_init: the initial W and W'.
        bias_init: the initial b; b' begins at -1, so that the layer carries most of its input.
        regularizer: the penalty on W.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_units: PositiveInt,
        activation: ActivationLike = "linear",
        transform_dropout: Fraction | None = None,
        weights_init: InitializerLike = "glorot_uniform",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = None,
        scale: NonNegativeFloat | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        params = {
            "num_units": num_units,
            "activation": activation,
            "transform_dropout": transform_dropout,
            "weights_init": weights_init,
            "bias_init": bias_init,
        }
        super().__init__(params, regularizer, scale, trainable, name)
        self._units = num_units
        self._flatten = keras.layers.Flatten()
        self._dropout = keras.layers.Dropout(transform_dropout) if transform_dropout else None

    def build(self, input_shape: Shape) -> None:
        """Create the weights for the flattened inputs.

        Raises:
            ValueError: there are not `num_units` inputs.
        """
        (_, size) = self._flatten.compute_output_shape(input_shape)
        if size != self._units:
            raise ValueError(
                f"a highway layer has as many units as inputs: num_units is {self._units}, and "
                f"there are {size} inputs"
            )
        params, shape = self._params, (size, size)
        self._w = self.add_weight(
            shape, params["weights_init"], regularizer=params["regularizer"], name="w"
        )
        self._b = self.add_weight((size,), params["bias_init"], name="b")
        self._w_t = self.add_weight(shape, fresh(params["weights_init"]), name="w_t")
        self._b_t = self.add_weight((size,), keras.initializers.Constant(-1.0), name="b_t")

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the outputs, float [batch, num_units]."""
        inputs = self._flatten(inputs)
        gate = ops.sigmoid(ops.matmul(inputs, self._w_t) + self._b_t)
        if self._dropout is not None:
            gate = self._dropout(gate, training=training)
        transformed = self._params["activation"](ops.matmul(inputs, self._w) + self._b)
        return combine(transformed, gate, inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, num_units]."""
        return (input_shape[0], self._units)


class _HighwayConvolution(OwnLayer):
    """The base of the convolutions with a gate; subclasses say along how many axes."""

    _axes: ClassVar[int]

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_filter: PositiveInt,
        filter_size: Size,
        strides: Size = 1,
        padding: Padding = "SAME",
        activation: ActivationLike = "linear",
        weights_init: InitializerLike = "glorot_uniform",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = None,
        scale: NonNegativeFloat | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        params = {
            "num_filter": num_filter,
            "filter_size": filter_size,
            "strides": strides,
            "padding": padding,
            "activation": activation,
            "weights_init": weights_init,
            "bias_init": bias_init,
        }
        super().__init__(params, regularizer, scale, trainable, name)
        self.input_spec = keras.layers.InputSpec(ndim=self._axes + 2)

    def build(self, input_shape: Shape) -> None:
        """Create the filters, the weights of the gate and the biases."""
        params, filters = self._params, self._params["num_filter"]
        size = params["filter_size"]
        sizes = [size] * self._axes if isinstance(size, int) else list(size)
        self._w = self.add_weight(
            (*sizes, input_shape[-1], filters),
            params["weights_init"],
            regularizer=params["regularizer"],
            name="w",
        )
        self._b = self.add_weight((filters,), params["bias_init"], name="b")
        self._w_t = self.add_weight((filters,), fresh(params["weights_init"]), name="w_t")
        self._b_t = self.add_weight((filters,), keras.initializers.Constant(-3.0), name="b_t")

    def call(self, inputs: Tensor) -> Tensor:
        """Return the outputs, float [batch, …, num_filter]."""
        convolved = ops.conv(
            inputs, self._w, self._params["strides"], self._params["padding"].lower()
        )
        gate = ops.sigmoid(convolved * self._w_t + self._b_t)
        return combine(self._params["activation"](convolved + self._b), gate, convolved)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the convolution's outputs."""
        layer = (keras.layers.Conv1D, keras.layers.Conv2D)[self._axes - 1](
            self._params["num_filter"],
            self._params["filter_size"],
            self._params["strides"],
            self._params["padding"].lower(),
        )
        return layer.compute_output_shape(input_shape)  # type: ignore[no-any-return]


@keras.saving.register_keras_serializable("plx_layers")
class HighwayConv1d(_HighwayConvolution):
    """A convolution C with a gate: T · f(C + b) + (1 - T) · C, with T = σ(w' C + b').

    [batch, length, channels] to [batch, length / strides, num_filter].

    Source: Srivastava, Greff and Schmidhuber 2015, "Highway Networks".

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_filter: the number of filters, which are the channels of the output.
        filter_size: the size of a filter.
        strides: the distance between two positions of the filter.
        padding: `same` pads the input with zeros, `valid` keeps the filter within the input.
        activation: f.
        weights_init: the initial filters and w'.
        bias_init: the initial b; b' begins at -3, so that the layer carries most of C.
        regularizer: the penalty on the filters.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    _axes = 1


@keras.saving.register_keras_serializable("plx_layers")
class HighwayConv2d(_HighwayConvolution):
    """A convolution C with a gate: T · f(C + b) + (1 - T) · C, with T = σ(w' C + b').

    [batch, height, width, channels] to [batch, height / strides, width / strides, num_filter].

    Source: Srivastava, Greff and Schmidhuber 2015, "Highway Networks".

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_filter: the number of filters, which are the channels of the output.
        filter_size: the size of a filter, along each axis or along all.
        strides: the distance between two positions of the filter.
        padding: `same` pads the input with zeros, `valid` keeps the filter within the input.
        activation: f.
        weights_init: the initial filters and w'.
        bias_init: the initial b; b' begins at -3, so that the layer carries most of C.
        regularizer: the penalty on the filters.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    _axes = 2
