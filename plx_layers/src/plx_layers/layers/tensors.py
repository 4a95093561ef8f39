"""Layers of polyaxon-lib that encode, cut, join and scale tensors."""

from __future__ import annotations

import functools
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from plx_core import Modes, make
from plx_core.annotations import ActivationLike, Layer, PositiveInt
from plx_core.types import Tensor
from plx_layers.layers.polyaxon_2017 import Size, deserialize, serialize

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


@keras.saving.register_keras_serializable("plx_layers")
class OneHotEncoding(keras.layers.Layer):
    """Encode class numbers: [batch, …] to float [batch, …, n_classes].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        n_classes: the number of classes.
        on_value: the value at the class.
        off_value: the value elsewhere.
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
        self._n_classes = n_classes
        self._on_value, self._off_value = on_value, off_value

    def call(self, inputs: Tensor) -> Tensor:
        """Return the codes, float [batch, …, n_classes]."""
        codes = ops.one_hot(ops.cast(inputs, "int32"), self._n_classes, dtype=self.compute_dtype)
        return codes * (self._on_value - self._off_value) + self._off_value

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, …, n_classes]."""
        return (*input_shape, self._n_classes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "n_classes": self._n_classes,
            "on_value": self._on_value,
            "off_value": self._off_value,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("plx_layers")
class Slice(keras.layers.Layer):
    """Cut a block out of a tensor [batch, …], as TensorFlow's `tf.slice` does.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        begin: where the block begins along each axis, the batch axis included.
        size: how long it is along each axis; -1 is up to the end.
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
        if len(begin) != len(size):
            raise ValueError(
                f"begin and size have a number for each axis, and have {len(begin)} and {len(size)}"
            )
        self._begin, self._size = list(begin), list(size)
        self.input_spec = keras.layers.InputSpec(ndim=len(begin))

    def call(self, inputs: Tensor) -> Tensor:
        """Return the block."""
        return inputs[
            tuple(
                slice(begin, None if size == -1 else begin + size)
                for begin, size in zip(self._begin, self._size, strict=True)
            )
        ]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the lengths of the block."""
        return tuple(
            (None if length is None else length - begin) if size == -1 else size
            for length, begin, size in zip(input_shape, self._begin, self._size, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"begin": self._begin, "size": self._size, "name": self.name}


@keras.saving.register_keras_serializable("plx_layers")
class Merge(keras.layers.Layer):
    """Join the outputs of several layers on one input, [batch, …].

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        modules: two or more layers, each of which gets the input.
        merge_mode: `concat` joins the outputs along the axis; `elemwise_sum` and `elemwise_mul`
            combine outputs of one shape; the others join them along the axis and reduce it.
        axis: the axis, counted with the batch axis.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        modules: list[Layer],
        merge_mode: MergeMode,
        axis: int = 1,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if len(modules) < 2:
            raise ValueError(f"Merge joins two or more modules, and there is {len(modules)}")
        if merge_mode not in get_args(MergeMode):
            raise ValueError(
                f"merge_mode is one of {', '.join(get_args(MergeMode))}; got {merge_mode!r}"
            )
        self._modules = [make("layers", module, mode=mode) for module in modules]
        for index, module in enumerate(self._modules):
            # Keras numbers layers over the whole process; the names of weights must not.
            module.name = f"module_{index}"
        self._merge_mode = merge_mode
        self._axis = axis

    def build(self, input_shape: Shape) -> None:
        """Build the layers."""
        for module in self._modules:
            if not module.built:  # a layer of a saved model is
                module.build(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the joined outputs."""
        outputs = [
            module(inputs, training=training) if module._call_has_training_arg else module(inputs)
            for module in self._modules
        ]
        if self._merge_mode == "elemwise_sum":
            return functools.reduce(ops.add, outputs)
        if self._merge_mode == "elemwise_mul":
            return functools.reduce(ops.multiply, outputs)
        joined = ops.concatenate(outputs, axis=self._axis)
        if self._merge_mode == "concat":
            return joined
        return REDUCTIONS[self._merge_mode](joined, axis=self._axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of the joined outputs."""
        shapes = [tuple(module.compute_output_shape(input_shape)) for module in self._modules]
        if self._merge_mode in ("elemwise_sum", "elemwise_mul"):
            return shapes[0]
        axis = self._axis % len(shapes[0])
        before, after = shapes[0][:axis], shapes[0][axis + 1 :]
        if self._merge_mode != "concat":
            return (*before, *after)
        lengths = [shape[axis] for shape in shapes]
        total = None if None in lengths else sum(length or 0 for length in lengths)
        return (*before, total, *after)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        modules = [keras.saving.serialize_keras_object(module) for module in self._modules]
        return {
            "modules": modules,
            "merge_mode": self._merge_mode,
            "axis": self._axis,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Merge:
        """Build a layer from its configuration."""
        modules = [keras.saving.deserialize_keras_object(module) for module in config["modules"]]
        return cls(**{**config, "modules": modules})


@keras.saving.register_keras_serializable("plx_layers")
class SingleUnit(keras.layers.Layer):
    """A line for one number: f(w x + b), [batch] or [batch, 1] to [batch].

    Both w and b are drawn from a standard normal distribution.

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        activation: f.
        bias: whether there is a b.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        activation: ActivationLike = "linear",
        bias: bool = True,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._activation = keras.activations.get(make("activations", activation))
        self._bias = bias

    def build(self, input_shape: Shape) -> None:
        """Create w and b.

        Raises:
            ValueError: an example has several numbers.
        """
        if np.prod([length or 0 for length in input_shape[1:]]) != 1:
            raise ValueError(
                f"SingleUnit takes one number of each example, and got the shape {input_shape}"
            )
        self._w = self.add_weight((1,), keras.initializers.RandomNormal(stddev=1.0), name="w")
        self._b = None
        if self._bias:
            self._b = self.add_weight((1,), keras.initializers.RandomNormal(stddev=1.0), name="b")

    def call(self, inputs: Tensor) -> Tensor:
        """Return the outputs, float [batch]."""
        outputs = ops.reshape(inputs, (-1,)) * self._w
        return self._activation(outputs if self._b is None else outputs + self._b)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch]."""
        return (input_shape[0],)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **serialize({"activation": self._activation}),
            "bias": self._bias,
            "trainable": self.trainable,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SingleUnit:
        """Build a layer from its configuration."""
        return cls(**deserialize(config))


@keras.saving.register_keras_serializable("plx_layers")
class Upscore(keras.layers.Layer):
    """Enlarge score maps by a transposed convolution that begins as a bilinear interpolation.

    [batch, height, width, channels] to [batch, (height - 1) · strides + 1,
    (width - 1) · strides + 1, num_classes], or to the height and width of `shape`.

    Source: Long, Shelhamer and Darrell 2015, "Fully Convolutional Networks for Semantic
    Segmentation".

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_classes: the number of output maps, at most as many as the input has channels.
        shape: [batch, height, width] of the outputs, of which the batch is ignored.
        kernel_size: the size of the filters, along each axis or along both.
        strides: the factor of the size, along each axis or along both.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_classes: PositiveInt,
        shape: list[int] | None = None,
        kernel_size: Size = 4,
        strides: Size = 2,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(trainable=trainable, name=name)
        self._classes, self._shape = num_classes, shape
        self._kernel_size, self._strides = _pair(kernel_size), _pair(strides)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: Shape) -> None:
        """Create the filters.

        Raises:
            ValueError: there are fewer channels than classes.
        """
        classes, channels = self._classes, input_shape[-1]
        if channels is None or channels < classes:
            raise ValueError(
                f"Upscore takes at least one channel for each class: num_classes is {classes}, and "
                f"there are {channels} channels"
            )
        filters = np.zeros((*self._kernel_size, classes, channels), "float32")
        filters[:, :, np.arange(classes), np.arange(classes)] = _bilinear(filters.shape[:2])[
            :, :, None
        ]
        self._filters = self.add_weight(
            filters.shape, lambda shape, dtype=None: ops.cast(filters, dtype), name="up_filter"
        )

    def call(self, inputs: Tensor) -> Tensor:
        """Return the enlarged maps, float [batch, height, width, num_classes]."""
        _, height, width, channels = self.compute_output_shape(inputs.shape)
        if height is None or width is None:
            raise ValueError("Upscore needs images of a known size, or a shape")
        return tf.nn.conv2d_transpose(
            inputs,
            ops.cast(self._filters, inputs.dtype),
            (tf.shape(inputs)[0], height, width, channels),
            self._strides,
            "SAME",
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, height, width, num_classes]."""
        if self._shape is not None:
            return (input_shape[0], *self._shape[1:3], self._classes)
        sizes = [
            None if size is None else (size - 1) * stride + 1
            for size, stride in zip(input_shape[1:3], self._strides, strict=True)
        ]
        return (input_shape[0], *sizes, self._classes)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            "num_classes": self._classes,
            "shape": self._shape,
            "kernel_size": list(self._kernel_size),
            "strides": list(self._strides),
            "trainable": self.trainable,
            "name": self.name,
        }


def _pair(size: int | list[int]) -> tuple[int, int]:
    first, second = (size, size) if isinstance(size, int) else size
    return first, second


def _bilinear(sizes: tuple[int, ...]) -> np.ndarray:
    """Return the weights of a bilinear interpolation, float [rows, columns]."""
    rows, columns = (
        1.0 - np.abs(np.arange(size) / half - (2 * half - 1 - half % 2) / (2.0 * half))
        for size, half in ((size, -(-size // 2)) for size in sizes)
    )
    return np.outer(rows, columns)
