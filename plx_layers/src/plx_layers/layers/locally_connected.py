"""Convolutions with separate weights at each position of their input."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, cast

import keras
from keras import ops

from plx_core.annotations import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    PositiveInt,
    RegularizerLike,
)
from plx_core.types import Tensor

Size: TypeAlias = PositiveInt | list[PositiveInt]
Shape: TypeAlias = tuple[int | None, ...]
DataFormat: TypeAlias = Literal["channels_last", "channels_first"]


def patches(inputs: Tensor, kernel_size: tuple[int, ...], strides: tuple[int, ...]) -> Tensor:
    """Return the inputs under a window at each of its positions.

    Args:
        inputs: [batch, size…, channels].
        kernel_size: the size of the window along each axis.
        strides: the step of the window along each axis.

    Returns:
        [batch, positions…, kernel_size… · channels], with the channels of one element side by side.
    """
    sizes = inputs.shape[1:-1]
    offsets = itertools.product(*(range(kernel) for kernel in kernel_size))
    lengths = [size - kernel + 1 for size, kernel in zip(sizes, kernel_size, strict=True)]
    slices = [
        tuple(
            slice(start, start + length, stride)
            for start, length, stride in zip(offset, lengths, strides, strict=True)
        )
        for offset in offsets
    ]
    return ops.concatenate(
        [inputs[(slice(None), *element, slice(None))] for element in slices], axis=-1
    )


class LocallyConnected(keras.layers.Layer):
    """Base class of `LocallyConnected1D` and `2D`, which describe its parameters."""

    rank = 1

    def __init__(
        self,
        filters: PositiveInt,
        kernel_size: Size,
        strides: Size = 1,
        padding: Literal["valid", "same"] = "valid",
        data_format: DataFormat | None = None,
        activation: ActivationLike | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: RegularizerLike | None = None,
        bias_regularizer: RegularizerLike | None = None,
        activity_regularizer: RegularizerLike | None = None,
        kernel_constraint: ConstraintLike | None = None,
        bias_constraint: ConstraintLike | None = None,
        trainable: bool = True,
        dtype: str | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            name=name,
            trainable=trainable,
            dtype=dtype,
            activity_regularizer=keras.regularizers.get(activity_regularizer),
        )
        if padding not in ("valid", "same"):
            raise ValueError(f"padding: expected valid or same, got {padding}")
        self.filters = filters
        self.kernel_size = self._per_axis("kernel_size", kernel_size)
        self.strides = self._per_axis("strides", strides)
        self.padding = padding
        self.data_format = data_format or keras.config.image_data_format()
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: Shape) -> None:
        """Create the weights.

        The kernel is [positions, kernel_size… · channels, filters], the bias [positions…, filters].
        """
        channels = input_shape[self._channel_axis]
        positions = [count for count in self._positions(input_shape) if count is not None]
        if channels is None or len(positions) < self.rank:
            raise ValueError(
                f"{type(self).__name__} has weights for each position, so the shape of its input "
                f"must be known; got {input_shape}"
            )
        count = math.prod(positions)
        inputs = math.prod(self.kernel_size) * channels
        self.kernel = self.add_weight(
            name="kernel",
            shape=(count, inputs, self.filters),
            initializer=_for_each_position(self.kernel_initializer, count),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(*positions, self.filters),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.layers.InputSpec(
            ndim=self.rank + 2, axes={self._channel_axis: channels}
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Return the sum of each window, weighted by the kernel of its position."""
        if self.data_format == "channels_first":
            inputs = ops.moveaxis(inputs, 1, -1)
        if self.padding == "same":
            inputs = ops.pad(inputs, [(0, 0), *self._margins(inputs.shape[1:-1]), (0, 0)])
        windows = patches(inputs, self.kernel_size, self.strides)
        count, size, _ = self.kernel.shape
        outputs = ops.einsum("bpi,pif->bpf", ops.reshape(windows, (-1, count, size)), self.kernel)
        outputs = ops.reshape(outputs, (-1, *windows.shape[1:-1], self.filters))
        if self.use_bias:
            outputs = outputs + self.bias
        outputs = self.activation(outputs)
        return ops.moveaxis(outputs, -1, 1) if self.data_format == "channels_first" else outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, positions…, filters], or the filters first for `channels_first`."""
        positions = self._positions(input_shape)
        if self.data_format == "channels_first":
            return (input_shape[0], self.filters, *positions)
        return (input_shape[0], *positions, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        plain = ("filters", "kernel_size", "strides", "padding", "data_format", "use_bias")
        config: dict[str, Any] = super().get_config()
        config |= {name: getattr(self, name) for name in plain}
        config["activation"] = keras.activations.serialize(self.activation)
        for module in (keras.initializers, keras.regularizers, keras.constraints):
            kind = module.__name__.rpartition(".")[2].removesuffix("s")
            for name in [name for name in vars(self) if name.endswith(kind)]:
                value = getattr(self, name)
                config[name] = None if value is None else module.serialize(value)
        return config

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def _per_axis(self, name: str, value: Size) -> tuple[int, ...]:
        sizes = (value,) * self.rank if isinstance(value, int) else tuple(value)
        if len(sizes) != self.rank or min(sizes) < 1:
            raise ValueError(
                f"{name}: expected a positive integer or {self.rank} of them, got {value}"
            )
        return sizes

    def _sizes(self, input_shape: Shape) -> Shape:
        shape = tuple(input_shape)
        return shape[2:] if self.data_format == "channels_first" else shape[1:-1]

    def _positions(self, input_shape: Shape) -> Shape:
        """Return the number of positions along each axis, None where it is unknown."""
        positions: list[int | None] = []
        for size, kernel, stride in zip(
            self._sizes(input_shape), self.kernel_size, self.strides, strict=True
        ):
            if size is None:
                positions.append(None)
                continue
            if self.padding == "valid" and size < kernel:
                raise ValueError(
                    f"kernel_size: a window of {self.kernel_size} does not fit into an input of "
                    f"shape {tuple(input_shape)}"
                )
            starts = size if self.padding == "same" else size - kernel + 1
            positions.append(math.ceil(starts / stride))
        return tuple(positions)

    def _margins(self, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        """Return the zeros before and after each axis, as TensorFlow's SAME pads it."""
        totals = [
            max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            for size, kernel, stride in zip(sizes, self.kernel_size, self.strides, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in totals]


@keras.saving.register_keras_serializable("plx_layers")
class LocallyConnected1D(LocallyConnected):
    """Convolve one axis with separate weights at each position.

    [batch, length, channels] to [batch, positions, filters].

    Args:
        filters: the number of outputs at each position.
        kernel_size: the length of the window.
        strides: the step of the window.
        padding: `valid` keeps the window within the input, `same` adds zeros around it.
        data_format: the order of the axes; `channels_first` is [batch, channels, length] to
            [batch, filters, positions].
        activation: the activation of the outputs.
        use_bias: whether to add a bias.
        kernel_initializer: the initial weights.
        bias_initializer: the initial bias.
        kernel_regularizer: the penalty on the weights.
        bias_regularizer: the penalty on the bias.
        activity_regularizer: the penalty on the outputs.
        kernel_constraint: the projection of the weights after each update.
        bias_constraint: the projection of the bias after each update.
        trainable: whether to update the weights.
        dtype: the dtype of weights and outputs.
        name: the layer's name.
    """

    rank = 1


@keras.saving.register_keras_serializable("plx_layers")
class LocallyConnected2D(LocallyConnected):
    """Convolve images with separate weights at each position.

    [batch, height, width, channels] to [batch, rows, columns, filters].

    Args:
        filters: the number of outputs at each position.
        kernel_size: the rows and columns of the window.
        strides: the rows and columns by which the window moves.
        padding: `valid` keeps the window within the input, `same` adds zeros around it.
        data_format: the order of the axes; `channels_first` is [batch, channels, height, width]
            to [batch, filters, rows, columns].
        activation: the activation of the outputs.
        use_bias: whether to add a bias.
        kernel_initializer: the initial weights.
        bias_initializer: the initial bias.
        kernel_regularizer: the penalty on the weights.
        bias_regularizer: the penalty on the bias.
        activity_regularizer: the penalty on the outputs.
        kernel_constraint: the projection of the weights after each update.
        bias_constraint: the projection of the bias after each update.
        trainable: whether to update the weights.
        dtype: the dtype of weights and outputs.
        name: the layer's name.
    """

    rank = 2


def _for_each_position(
    initializer: keras.initializers.Initializer, positions: int
) -> Callable[..., Tensor]:
    """Return an initializer that draws [positions, inputs, filters] like [inputs, filters].

    `VarianceScaling` would take the positions for the size of a window, and draw values that are
    too small.
    """

    def scaled(shape: Shape, dtype: str | None = None) -> Tensor:
        return initializer(shape, dtype=dtype) * math.sqrt(positions)

    is_scaled = isinstance(initializer, keras.initializers.VarianceScaling)
    return scaled if is_scaled else cast("Callable[..., Tensor]", initializer)
