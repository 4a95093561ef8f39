"""Residual blocks with pre-activation.

Sources: He et al. 2015, "Deep Residual Learning for Image Recognition"; He et al. 2016, "Identity
Mappings in Deep Residual Networks".
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from plx_core import Modes
from plx_core.annotations import (
    ActivationLike,
    InitializerLike,
    NonNegativeFloat,
    PositiveInt,
    RegularizerLike,
)
from plx_core.types import Layer, Tensor
from plx_layers.layers.polyaxon_2017 import Conv2d, OwnLayer, fresh

Shape = tuple[int | None, ...]
DECAY = {"l2_regularizer": {"scale": 0.0001}}
"""The penalty of residual layers by default."""


class _Residual(OwnLayer):
    """The base of residual layers: blocks of convolutions, each block added to its input.

    Where a block has more channels than its input, the input is padded with zeros; where it is
    downsampled, its input is averaged over windows.
    """

    def __init__(
        self,
        params: dict[str, Any],
        regularizer: RegularizerLike | None,
        scale: float | None,
        trainable: bool,
        name: str | None,
    ) -> None:
        super().__init__(params, regularizer, scale, trainable, name)
        self._strides = params["downsample_strides"] if params["downsample"] else 1
        self._pool = keras.layers.AveragePooling2D(self._strides, padding="same")
        pattern = self._pattern() * params["num_blocks"]
        # Keras saves the layers in a list, but none in lists within it.
        self._convolutions = [
            self._convolution(filters, size, strides, f"convolution_{index}")
            for index, (filters, size, strides) in enumerate(pattern)
        ]
        self._normalizations = [
            keras.layers.BatchNormalization(
                momentum=0.9, epsilon=1e-5, name=f"normalization_{index}"
            )
            for index in range(len(pattern) if params["batch_norm"] else 0)
            if self._is_normalized(index)
        ]
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def _pattern(self) -> list[tuple[int, int, int]]:
        """Return the filters, filter size and strides of each convolution of a block."""
        raise NotImplementedError

    def _is_normalized(self, index: int) -> bool:
        """Whether an activation, and a normalization if there is any, come before a convolution."""
        return index % len(self._pattern()) < 2

    def _convolution(self, filters: int, size: int, strides: int, name: str) -> Layer:
        params = self._params
        return Conv2d(
            num_filter=filters,
            filter_size=size,
            strides=strides,
            bias=params["bias"],
            weights_init=fresh(params["weights_init"]),
            bias_init=fresh(params["bias_init"]),
            regularizer=params["regularizer"],
            name=name,
        )

    def build(self, input_shape: Shape) -> None:
        """Create the weights of the blocks.

        Raises:
            ValueError: the input has more channels than `out_channels`.
        """
        channels = self._params["out_channels"]
        if input_shape[-1] > channels:
            raise ValueError(
                f"a residual layer adds channels, and takes none away: out_channels is {channels}, "
                f"and the input has {input_shape[-1]}"
            )
        normalizations = iter(self._normalizations)
        for index, convolution in enumerate(self._convolutions):
            if self._params["batch_norm"] and self._is_normalized(index):
                next(normalizations).build(input_shape)
            convolution.build(input_shape)
            input_shape = convolution.compute_output_shape(input_shape)

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """Return the outputs, float [batch, height / strides, width / strides, out_channels]."""
        normalizations, length = iter(self._normalizations), len(self._pattern())
        residual = inputs
        for index, convolution in enumerate(self._convolutions):
            if self._is_normalized(index):
                if self._params["batch_norm"]:
                    residual = next(normalizations)(residual, training=training)
                residual = self._params["activation"](residual)
            residual = convolution(residual)
            if index % length == length - 1:
                inputs = residual = self._after(residual + self._shortcut(inputs))
        return inputs

    def _shortcut(self, inputs: Tensor) -> Tensor:
        if self._strides > 1:
            inputs = self._pool(inputs)
        missing = self._params["out_channels"] - inputs.shape[-1]
        if not missing:
            return inputs
        return ops.pad(inputs, [[0, 0], [0, 0], [0, 0], [missing // 2, missing - missing // 2]])

    def _after(self, outputs: Tensor) -> Tensor:
        """Return a block's outputs, after the sum."""
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return [batch, height / strides, width / strides, out_channels]."""
        for convolution in self._convolutions:
            input_shape = convolution.compute_output_shape(input_shape)
        return input_shape


@keras.saving.register_keras_serializable("plx_layers")
class ResidualBlock(_Residual):
    """Blocks of two 3 × 3 convolutions, each block added to its input.

    [batch, height, width, channels] to [batch, height / strides, width / strides, out_channels].

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks".

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_blocks: the number of blocks.
        out_channels: the number of filters, at least as many as the input has channels.
        downsample: whether each block divides height and width.
        downsample_strides: the divisor.
        activation: the activation before each convolution.
        batch_norm: whether to normalize each batch before each activation.
        bias: whether to add a bias.
        weights_init: the initial weights.
        bias_init: the initial bias.
        regularizer: the penalty on the weights.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_blocks: PositiveInt,
        out_channels: PositiveInt,
        downsample: bool = False,
        downsample_strides: PositiveInt = 2,
        activation: ActivationLike = "relu",
        batch_norm: bool = True,
        bias: bool = True,
        weights_init: InitializerLike = "he_normal",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = DECAY,
        scale: NonNegativeFloat | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        params = {
            "num_blocks": num_blocks,
            "out_channels": out_channels,
            "downsample": downsample,
            "downsample_strides": downsample_strides,
            "activation": activation,
            "batch_norm": batch_norm,
            "bias": bias,
            "weights_init": weights_init,
            "bias_init": bias_init,
        }
        super().__init__(params, regularizer, scale, trainable, name)

    def _pattern(self) -> list[tuple[int, int, int]]:
        filters = self._params["out_channels"]
        return [(filters, 3, self._strides), (filters, 3, 1)]


@keras.saving.register_keras_serializable("plx_layers")
class ResidualBottleneck(_Residual):
    """Blocks of a 1 × 1, a 3 × 3 and a 1 × 1 convolution, each block added to its input.

    [batch, height, width, channels] to [batch, height / strides, width / strides, out_channels].

    Source: He et al. 2016, "Identity Mappings in Deep Residual Networks".

    Args:
        mode: unused; the first parameter in polyaxon-lib.
        num_blocks: the number of blocks.
        bottleneck_size: the number of filters of the first two convolutions.
        out_channels: the number of filters of the last, at least as many as the input has channels.
        downsample: whether each block divides height and width.
        downsample_strides: the divisor.
        activation: the activation before the first two convolutions and after the sum.
        batch_norm: whether to normalize each batch before the first two convolutions.
        bias: whether to add a bias.
        weights_init: the initial weights.
        bias_init: the initial bias.
        regularizer: the penalty on the weights.
        scale: the strength of `l1_regularizer` or `l2_regularizer`; 0.001 when None.
        trainable: whether to update the weights.
        name: the layer's name.
    """

    def __init__(
        self,
        mode: str = Modes.TRAIN,
        *,
        num_blocks: PositiveInt,
        bottleneck_size: PositiveInt,
        out_channels: PositiveInt,
        downsample: bool = False,
        downsample_strides: PositiveInt = 2,
        activation: ActivationLike = "relu",
        batch_norm: bool = True,
        bias: bool = True,
        weights_init: InitializerLike = "he_normal",
        bias_init: InitializerLike = "zeros",
        regularizer: RegularizerLike | None = DECAY,
        scale: NonNegativeFloat | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        params = {
            "num_blocks": num_blocks,
            "bottleneck_size": bottleneck_size,
            "out_channels": out_channels,
            "downsample": downsample,
            "downsample_strides": downsample_strides,
            "activation": activation,
            "batch_norm": batch_norm,
            "bias": bias,
            "weights_init": weights_init,
            "bias_init": bias_init,
        }
        super().__init__(params, regularizer, scale, trainable, name)

    def _pattern(self) -> list[tuple[int, int, int]]:
        narrow, wide = self._params["bottleneck_size"], self._params["out_channels"]
        return [(narrow, 1, self._strides), (narrow, 3, 1), (wide, 1, 1)]

    def _after(self, outputs: Tensor) -> Tensor:
        return self._params["activation"](outputs)
