"""Convolutions that have weights of their own at each position of their input."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal, TypeAlias

import keras
from keras import ops

from plx_core.annotations import (
    ActivationLike,
    ConstraintLike,
    InitializerLike,
    PositiveInt,
    RegularizerLike,
)

Size: TypeAlias = PositiveInt | list[PositiveInt]
DataFormat: TypeAlias = Literal["channels_last", "channels_first"]


def patches(inputs: Any, kernel_size: tuple[int, ...], strides: tuple[int, ...]) -> Any:
    """What each position of a window sees.

    Args:
        inputs: [batch, size…, channels].
        kernel_size: the window's size along each axis.
        strides: the window's step along each axis.

    Returns:
        [batch, positions…, kernel_size… · channels], the channels of one place side by side.
    """
    sizes = inputs.shape[1:-1]
    starts = itertools.product(*(range(kernel) for kernel in kernel_size))
    ends = [size - kernel + 1 for size, kernel in zip(sizes, kernel_size, strict=True)]
    places = [
        tuple(
            slice(start, start + end, stride)
            for start, end, stride in zip(place, ends, strides, strict=True)
        )
        for place in starts
    ]
    return ops.concatenate(
        [inputs[(slice(None), *place, slice(None))] for place in places], axis=-1
    )


class LocallyConnected(keras.layers.Layer):
    """The parent of `LocallyConnected1D` and `LocallyConnected2D`; its parameters are described there."""

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
        self.filters, self.use_bias = filters, use_bias
        self.kernel_size, self.strides = (
            self._per_axis("kernel_size", kernel_size),
            self._per_axis("strides", strides),
        )
        if padding not in ("valid", "same"):
            raise ValueError(f"padding: expected valid or same, got {padding}")
        self.padding, self.data_format = padding, data_format or keras.config.image_data_format()
        self.activation = keras.activations.get(activation)
        self.kernel_initializer, self.bias_initializer = map(
            keras.initializers.get, (kernel_initializer, bias_initializer)
        )
        self.kernel_regularizer, self.bias_regularizer = map(
            keras.regularizers.get, (kernel_regularizer, bias_regularizer)
        )
        self.kernel_constraint, self.bias_constraint = map(
            keras.constraints.get, (kernel_constraint, bias_constraint)
        )
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 2)

    def build(self, input_shape: Any) -> None:
        """Make the weights: [positions, kernel_size… · channels, filters], and a bias [positions…, filters]."""
        channels, positions = (
            input_shape[self._channel_axis],
            [count for count in self._positions(input_shape) if count is not None],
        )
        if channels is None or len(positions) < self.rank:
            raise ValueError(
                f"{type(self).__name__} has weights for each position: its input's shape has to be known, got {input_shape}"
            )
        count, inputs = math.prod(positions), math.prod(self.kernel_size) * channels
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

    def call(self, inputs: Any) -> Any:
        """The weighed sum of each window, by the weights of its position."""
        if self.data_format == "channels_first":
            inputs = ops.moveaxis(inputs, 1, -1)
        if self.padding == "same":
            inputs = ops.pad(inputs, [(0, 0), *self._margins(inputs.shape[1:-1]), (0, 0)])
        seen = patches(inputs, self.kernel_size, self.strides)
        count, size, _ = self.kernel.shape
        outputs = ops.einsum("bpi,pif->bpf", ops.reshape(seen, (-1, count, size)), self.kernel)
        outputs = ops.reshape(outputs, (-1, *seen.shape[1:-1], self.filters))
        if self.use_bias:
            outputs = outputs + self.bias
        outputs = self.activation(outputs)
        return ops.moveaxis(outputs, -1, 1) if self.data_format == "channels_first" else outputs

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """[batch, positions…, filters], or [batch, filters, positions…] for `channels_first`."""
        positions = self._positions(input_shape)
        return (
            (input_shape[0], self.filters, *positions)
            if self.data_format == "channels_first"
            else (input_shape[0], *positions, self.filters)
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        plain = ("filters", "kernel_size", "strides", "padding", "data_format", "use_bias")
        config: dict[str, Any] = super().get_config() | {
            name: getattr(self, name) for name in plain
        }
        config["activation"] = keras.activations.serialize(self.activation)
        for module in (keras.initializers, keras.regularizers, keras.constraints):
            kind = module.__name__.rpartition(".")[2][:-1]
            for name in (name for name in vars(self) if name.endswith(kind)):
                config[name] = (
                    module.serialize(getattr(self, name))
                    if getattr(self, name) is not None
                    else None
                )
        return config

    @property
    def _channel_axis(self) -> int:
        return 1 if self.data_format == "channels_first" else self.rank + 1

    def _per_axis(self, name: str, value: Any) -> tuple[int, ...]:
        sizes = (value,) * self.rank if isinstance(value, int) else tuple(value)
        if len(sizes) != self.rank or min(sizes) < 1:
            raise ValueError(
                f"{name}: expected a positive integer or {self.rank} of them, got {value}"
            )
        return sizes

    def _sizes(self, input_shape: Any) -> tuple[int | None, ...]:
        shape = tuple(input_shape)
        return shape[2:] if self.data_format == "channels_first" else shape[1:-1]

    def _positions(self, input_shape: Any) -> tuple[int | None, ...]:
        found: list[int | None] = []
        for size, kernel, stride in zip(
            self._sizes(input_shape), self.kernel_size, self.strides, strict=True
        ):
            if size is not None and self.padding == "valid" and size < kernel:
                raise ValueError(
                    f"kernel_size: a window of {self.kernel_size} does not fit into an input of shape {tuple(input_shape)}"
                )
            covered = size if size is None or self.padding == "same" else size - kernel + 1
            found.append(None if covered is None else -(-covered // stride))
        return tuple(found)

    def _margins(self, sizes: tuple[int, ...]) -> list[tuple[int, int]]:
        """How many zeros go before and after each axis, as TensorFlow's SAME has them."""
        needed = [
            max((-(-size // stride) - 1) * stride + kernel - size, 0)
            for size, kernel, stride in zip(sizes, self.kernel_size, self.strides, strict=True)
        ]
        return [(total // 2, total - total // 2) for total in needed]


@keras.saving.register_keras_serializable("plx_layers")
class LocallyConnected1D(LocallyConnected):
    """A convolution over one axis with weights of its own at each position: [batch, length, channels] to [batch, positions, filters].

    Args:
        filters: how many outputs a position has.
        kernel_size: how many steps the window covers.
        strides: by how many steps it moves.
        padding: `valid` keeps to the input, `same` adds zeros around it.
        data_format: where the channels are; `channels_first` is [batch, channels, length] to [batch, filters, positions].
        activation: what is applied to the outputs.
        use_bias: whether a bias is added.
        kernel_initializer: the initial weights.
        bias_initializer: the initial bias.
        kernel_regularizer: the penalty on the weights.
        bias_regularizer: the penalty on the bias.
        activity_regularizer: the penalty on the outputs.
        kernel_constraint: what the weights are projected to after each update.
        bias_constraint: what the bias is projected to after each update.
        trainable: whether the weights are updated.
        dtype: the dtype of weights and outputs.
        name: the layer's name.
    """

    rank = 1


@keras.saving.register_keras_serializable("plx_layers")
class LocallyConnected2D(LocallyConnected):
    """A convolution over images with weights of its own at each position.

    [batch, height, width, channels] to [batch, rows, columns, filters].

    Args:
        filters: how many outputs a position has.
        kernel_size: how many rows and columns the window covers.
        strides: by how many rows and columns it moves.
        padding: `valid` keeps to the input, `same` adds zeros around it.
        data_format: where the channels are; `channels_first` is [batch, channels, height, width] to [batch, filters, rows, columns].
        activation: what is applied to the outputs.
        use_bias: whether a bias is added.
        kernel_initializer: the initial weights.
        bias_initializer: the initial bias.
        kernel_regularizer: the penalty on the weights.
        bias_regularizer: the penalty on the bias.
        activity_regularizer: the penalty on the outputs.
        kernel_constraint: what the weights are projected to after each update.
        bias_constraint: what the bias is projected to after each update.
        trainable: whether the weights are updated.
        dtype: the dtype of weights and outputs.
        name: the layer's name.
    """

    rank = 2


def _for_each_position(initializer: Any, positions: int) -> Any:
    """An initializer of [positions, inputs, filters] that gives each position what [inputs, filters] would get.

    Those that go by the number of inputs and outputs would take the positions for the size of a window, and draw too small values.
    """
    if not isinstance(initializer, keras.initializers.VarianceScaling):
        return initializer
    return lambda shape, dtype=None: initializer(shape, dtype=dtype) * math.sqrt(positions)
