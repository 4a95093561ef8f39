"""Layers that change the values of pixels: colour space, dtype, brightness, contrast, hue."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from plx_core.annotations import NonNegativeFloat
from plx_core.types import Tensor
from plx_pipelines.processors.base import PACKAGE, ImageLayer, RandomImageLayer, white_value

_TO_RGB = {
    "rgb": lambda images: images,
    "grayscale": tf.image.grayscale_to_rgb,
    "hsv": tf.image.hsv_to_rgb,
    "yiq": tf.image.yiq_to_rgb,
    "yuv": tf.image.yuv_to_rgb,
}
_FROM_RGB = {
    "rgb": lambda images: images,
    "grayscale": tf.image.rgb_to_grayscale,
    "hsv": tf.image.rgb_to_hsv,
    "yiq": tf.image.rgb_to_yiq,
    "yuv": tf.image.rgb_to_yuv,
}


@keras.saving.register_keras_serializable(PACKAGE)
class ConvertColorSpace(ImageLayer):
    """Convert images to another colour space; integers become floats from 0 to 1.

    Args:
        from_space: the colour space of the images; grayscale has one channel, the others three.
        to_space: the colour space to convert to.
        name: the layer's name.
    """

    def __init__(
        self,
        from_space: Literal["rgb", "grayscale", "hsv", "yiq", "yuv"],
        to_space: Literal["rgb", "grayscale", "hsv", "yiq", "yuv"],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.from_space = from_space
        self.to_space = to_space

    def call(self, images: Tensor) -> Tensor:
        """Return floats [batch, height, width, 1 or 3]."""
        if images.dtype.is_integer:
            images = tf.image.convert_image_dtype(images, tf.float32)
        if self.from_space == self.to_space:
            return images
        return _FROM_RGB[self.to_space](_TO_RGB[self.from_space](images))


@keras.saving.register_keras_serializable(PACKAGE)
class ConvertImagesDtype(ImageLayer):
    """Convert images to another dtype and scale their values: 255 of uint8 is 1 of float32.

    Args:
        dtype: the dtype, such as `float32` or `uint8`.
        saturate: whether to clip values that are out of range.
        name: the layer's name.
    """

    def __init__(
        self, dtype: str = "float32", saturate: bool = False, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.target = dtype
        self.saturate = saturate

    def call(self, images: Tensor) -> Tensor:
        """Return images of the same shape."""
        return tf.image.convert_image_dtype(images, self.target, self.saturate)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"dtype": self.target, "saturate": self.saturate, "name": self.name}


class _Adjustment(RandomImageLayer):
    """Base class of layers that change colours by an amount for each image."""

    def _amount(
        self, images: Tensor, random: bool, fixed: float, low: float, high: float
    ) -> Tensor:
        if not random:
            return tf.fill([tf.shape(images)[0], 1, 1, 1], tf.cast(fixed, tf.float32))
        return self.draw(images, low, high)[:, None, None, None]

    def _floats(self, images: Tensor) -> Tensor:
        return tf.cast(images, tf.float32) / white_value(images.dtype)

    def _like(self, floats: Tensor, images: Tensor) -> Tensor:
        if not images.dtype.is_integer:
            return tf.cast(floats, images.dtype)
        return tf.saturate_cast(tf.round(floats * white_value(images.dtype)), images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustBrightness(_Adjustment):
    """Make images brighter or darker.

    Args:
        delta: the value to add, where white is 1.
        is_random: draw a number from -delta to delta for each image, in training only.
        seed: the seed of the random numbers.
        name: the layer's name.
    """

    def __init__(
        self,
        delta: float,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.delta = delta

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        amount = self._amount(images, random, self.delta, -abs(self.delta), abs(self.delta))
        return self._like(self._floats(images) + amount, images)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustContrast(_Adjustment):
    """Scale the distance of each pixel from the mean of its channel.

    Args:
        contrast_factor: the factor, or the smallest one with `is_random`.
        contrast_factor_max: the largest factor with `is_random`.
        is_random: draw a number between the two for each image, in training only.
        seed: the seed of the random numbers.
        name: the layer's name.
    """

    def __init__(
        self,
        contrast_factor: NonNegativeFloat,
        contrast_factor_max: NonNegativeFloat | None = None,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.bounds = _bounds("contrast_factor", contrast_factor, contrast_factor_max, is_random)
        self.contrast_factor = contrast_factor
        self.contrast_factor_max = contrast_factor_max

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        floats = self._floats(images)
        means = tf.reduce_mean(floats, axis=[1, 2], keepdims=True)
        amount = self._amount(images, random, self.contrast_factor, *self.bounds)
        return self._like((floats - means) * amount + means, images)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustHue(_Adjustment):
    """Shift the hues of RGB images.

    Args:
        delta: the shift, where 1 is the full colour circle.
        is_random: draw a number from -delta to delta for each image, in training only.
        seed: the seed of the random numbers.
        name: the layer's name.
    """

    def __init__(
        self,
        delta: float,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.delta = delta

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        hue, saturation, value = tf.split(tf.image.rgb_to_hsv(self._floats(images)), 3, axis=-1)
        amount = self._amount(images, random, self.delta, -abs(self.delta), abs(self.delta))
        hue = tf.math.floormod(hue + amount, 1.0)
        rgb = tf.image.hsv_to_rgb(tf.concat([hue, saturation, value], axis=-1))
        return self._like(rgb, images)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustSaturation(_Adjustment):
    """Scale the saturation of RGB images.

    Args:
        saturation_factor: the factor, or the smallest one with `is_random`.
        saturation_factor_max: the largest factor with `is_random`.
        is_random: draw a number between the two for each image, in training only.
        seed: the seed of the random numbers.
        name: the layer's name.
    """

    def __init__(
        self,
        saturation_factor: NonNegativeFloat,
        saturation_factor_max: NonNegativeFloat | None = None,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.bounds = _bounds(
            "saturation_factor", saturation_factor, saturation_factor_max, is_random
        )
        self.saturation_factor = saturation_factor
        self.saturation_factor_max = saturation_factor_max

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        hue, saturation, value = tf.split(tf.image.rgb_to_hsv(self._floats(images)), 3, axis=-1)
        amount = self._amount(images, random, self.saturation_factor, *self.bounds)
        saturation = tf.clip_by_value(saturation * amount, 0.0, 1.0)
        rgb = tf.image.hsv_to_rgb(tf.concat([hue, saturation, value], axis=-1))
        return self._like(rgb, images)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustGamma(_Adjustment):
    """Correct the gamma of images: gain * value ** gamma, where white is 1.

    Args:
        gamma: the exponent.
        gain: the factor.
        name: the layer's name.
    """

    def __init__(
        self, gamma: NonNegativeFloat = 1.0, gain: float = 1.0, name: str | None = None
    ) -> None:
        super().__init__(is_random=False, seed=None, name=name)
        self.gamma = gamma
        self.gain = gain

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        return self._like(self.gain * tf.pow(self._floats(images), self.gamma), images)


@keras.saving.register_keras_serializable(PACKAGE)
class Standardization(ImageLayer):
    """Scale each image to mean 0 and standard deviation 1, as floats.

    The divisor is at least 1 / sqrt(number of values), as in `tf.image.per_image_standardization`.

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Tensor) -> Tensor:
        """Return float32 images of the same shape."""
        return tf.image.per_image_standardization(tf.cast(images, tf.float32))


def _bounds(name: str, low: float, high: float | None, is_random: bool) -> tuple[float, float]:
    if is_random and (high is None or high <= low):
        raise ValueError(f"with is_random, {name}_max must be above {name} ({low}), not {high}")
    return low, low if high is None else high
