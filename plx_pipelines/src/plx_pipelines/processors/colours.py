"""The values of pixels: colour spaces, dtypes, brightness, contrast, hue, saturation, gamma."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from plx_core.annotations import NonNegativeFloat
from plx_pipelines.processors.images import PACKAGE, ImageLayer, RandomImageLayer, greatest

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
    """Images in another colour space; whole numbers become floats from 0 to 1.

    Args:
        from_space: what they are in; grayscale has one channel, the others three.
        to_space: what they are to be in.
        name: the layer's name.
    """

    def __init__(
        self,
        from_space: Literal["rgb", "grayscale", "hsv", "yiq", "yuv"],
        to_space: Literal["rgb", "grayscale", "hsv", "yiq", "yuv"],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.from_space, self.to_space = from_space, to_space

    def call(self, images: Any) -> Any:
        """[batch, height, width, 1 or 3], float."""
        floats = (
            tf.image.convert_image_dtype(images, tf.float32) if images.dtype.is_integer else images
        )
        return (
            floats
            if self.from_space == self.to_space
            else _FROM_RGB[self.to_space](_TO_RGB[self.from_space](floats))
        )


@keras.saving.register_keras_serializable(PACKAGE)
class ConvertImagesDtype(ImageLayer):
    """Images of another dtype, with white as white: 255 of uint8 is 1 of float32.

    Args:
        dtype: such as `float32` or `uint8`.
        saturate: whether what does not fit becomes the nearest that does.
        name: the layer's name.
    """

    def __init__(
        self, dtype: str = "float32", saturate: bool = False, name: str | None = None
    ) -> None:
        super().__init__(name=name)
        self.target = dtype
        self.saturate = saturate

    def call(self, images: Any) -> Any:
        """The same shape."""
        return tf.image.convert_image_dtype(images, self.target, self.saturate)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"dtype": self.target, "saturate": self.saturate, "name": self.name}


class _Adjustment(RandomImageLayer):
    """A change of colours by an amount for each image."""

    def _amount(self, images: Any, random: bool, fixed: float, low: float, high: float) -> Any:
        if not random:
            return tf.fill([tf.shape(images)[0], 1, 1, 1], tf.cast(fixed, tf.float32))
        return self.draw(images, low, high)[:, None, None, None]

    def _floats(self, images: Any) -> Any:
        return tf.cast(images, tf.float32) / greatest(images.dtype)

    def _like(self, floats: Any, images: Any) -> Any:
        if not images.dtype.is_integer:
            return tf.cast(floats, images.dtype)
        return tf.saturate_cast(tf.round(floats * greatest(images.dtype)), images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustBrightness(_Adjustment):
    """Brighter or darker images.

    Args:
        delta: what is added, where white is 1.
        is_random: whether it is a number from -delta to delta for each image, in training only.
        seed: what the numbers follow from.
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

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        amount = self._amount(images, random, self.delta, -abs(self.delta), abs(self.delta))
        return self._like(self._floats(images) + amount, images)


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustContrast(_Adjustment):
    """Images whose pixels are further from, or nearer to, the mean of their channel.

    Args:
        contrast_factor: how much further; at random, at least.
        contrast_factor_max: at random, at most.
        is_random: whether it is a number between the two for each image, in training only.
        seed: what the numbers follow from.
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
        self.contrast_factor, self.contrast_factor_max = contrast_factor, contrast_factor_max

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        floats = self._floats(images)
        means = tf.reduce_mean(floats, axis=[1, 2], keepdims=True)
        return self._like(
            (floats - means) * self._amount(images, random, self.contrast_factor, *self.bounds)
            + means,
            images,
        )


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustHue(_Adjustment):
    """Images in RGB with other hues.

    Args:
        delta: how far hues are moved, where 1 is all around.
        is_random: whether it is a number from -delta to delta for each image, in training only.
        seed: what the numbers follow from.
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

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        hue, saturation, value = tf.split(tf.image.rgb_to_hsv(self._floats(images)), 3, axis=-1)
        amount = self._amount(images, random, self.delta, -abs(self.delta), abs(self.delta))
        return self._like(
            tf.image.hsv_to_rgb(
                tf.concat([tf.math.floormod(hue + amount, 1.0), saturation, value], axis=-1)
            ),
            images,
        )


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustSaturation(_Adjustment):
    """Images in RGB with stronger or weaker colours.

    Args:
        saturation_factor: what saturations are multiplied with; at random, at least.
        saturation_factor_max: at random, at most.
        is_random: whether it is a number between the two for each image, in training only.
        seed: what the numbers follow from.
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
        self.saturation_factor, self.saturation_factor_max = (
            saturation_factor,
            saturation_factor_max,
        )

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        hue, saturation, value = tf.split(tf.image.rgb_to_hsv(self._floats(images)), 3, axis=-1)
        amount = self._amount(images, random, self.saturation_factor, *self.bounds)
        return self._like(
            tf.image.hsv_to_rgb(
                tf.concat([hue, tf.clip_by_value(saturation * amount, 0.0, 1.0), value], axis=-1)
            ),
            images,
        )


@keras.saving.register_keras_serializable(PACKAGE)
class AdjustGamma(_Adjustment):
    """Images with their values raised to a power: gain * value ** gamma, where white is 1.

    Args:
        gamma: the power.
        gain: the factor.
        name: the layer's name.
    """

    def __init__(
        self, gamma: NonNegativeFloat = 1.0, gain: float = 1.0, name: str | None = None
    ) -> None:
        super().__init__(is_random=False, seed=None, name=name)
        self.gamma, self.gain = gamma, gain

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        return self._like(self.gain * tf.pow(self._floats(images), self.gamma), images)


@keras.saving.register_keras_serializable(PACKAGE)
class Standardization(ImageLayer):
    """Images with mean 0 and deviation 1 each, float; the deviation is taken as at least that of noise, 1 / sqrt(pixels).

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Any) -> Any:
        """The same shape, float32."""
        return tf.image.per_image_standardization(tf.cast(images, tf.float32))


def _bounds(name: str, low: float, high: float | None, is_random: bool) -> tuple[float, float]:
    if is_random and (high is None or high <= low):
        raise ValueError(f"with is_random, {name}_max must be above {name} ({low}), not {high}")
    return low, low if high is None else high
