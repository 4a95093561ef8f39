"""Layers that move the pixels of images: sizes, crops, flips and rotations."""

from __future__ import annotations

from typing import Literal, TypeAlias

import keras
import tensorflow as tf

from plx_core.annotations import Fraction, NonNegativeInt, PositiveInt
from plx_core.types import Tensor
from plx_pipelines.processors.base import PACKAGE, ImageLayer, RandomImageLayer, choose

Method: TypeAlias = Literal[
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"
]


@keras.saving.register_keras_serializable(PACKAGE)
class Resize(ImageLayer):
    """Resize images; integers are rounded to the nearest.

    Args:
        height: the new height in pixels.
        width: the new width in pixels.
        method: the interpolation method.
        antialias: whether to smooth images that become smaller.
        name: the layer's name.
    """

    def __init__(
        self,
        height: PositiveInt,
        width: PositiveInt,
        method: Method = "bilinear",
        antialias: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.height = height
        self.width = width
        self.method = method
        self.antialias = antialias

    def call(self, images: Tensor) -> Tensor:
        """Return [batch, height, width, channels]."""
        resized = tf.image.resize(
            images, (self.height, self.width), self.method, antialias=self.antialias
        )
        if images.dtype.is_integer:
            resized = tf.round(resized)
        return tf.saturate_cast(resized, images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class CentralCrop(ImageLayer):
    """Crop images to their centre.

    Args:
        central_fraction: the fraction of height and width to keep, above 0.
        name: the layer's name.
    """

    def __init__(self, central_fraction: Fraction, name: str | None = None) -> None:
        super().__init__(name=name)
        if not 0 < central_fraction <= 1:
            raise ValueError(
                f"central_fraction must be above 0 and at most 1, not {central_fraction}"
            )
        self.central_fraction = central_fraction

    def call(self, images: Tensor) -> Tensor:
        """Return [batch, fraction of height, fraction of width, channels]."""
        return tf.image.central_crop(images, self.central_fraction)


@keras.saving.register_keras_serializable(PACKAGE)
class RandomImageCrop(RandomImageLayer):
    """Crop each image at a random position in training, and at the centre otherwise.

    Keras's `RandomCrop` uses one position for all images of a batch.

    Args:
        height: the height of the crop in pixels.
        width: the width of the crop in pixels.
        seed: the seed of the positions.
        name: the layer's name.
    """

    def __init__(
        self,
        height: PositiveInt,
        width: PositiveInt,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=True, seed=seed, name=name)
        self.height = height
        self.width = width

    def leave(self, images: Tensor) -> Tensor:
        """Return the centre."""
        return self.change(images, random=False)

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return [batch, height, width, channels]."""
        room = [images.shape[1] - self.height, images.shape[2] - self.width]
        if min(room) < 0:
            raise ValueError(
                f"images of {images.shape[1]} x {images.shape[2]} are smaller than the crop, "
                f"{self.height} x {self.width}"
            )
        if not random:
            top, left = (space // 2 for space in room)
            return images[:, top : top + self.height, left : left + self.width]
        tops, lefts = (
            tf.cast(tf.floor(self.draw(images, 0.0, space + 1.0)), tf.int32) for space in room
        )
        rows = tops[:, None] + tf.range(self.height)
        columns = lefts[:, None] + tf.range(self.width)
        images = tf.gather(images, rows, axis=1, batch_dims=1)
        return tf.gather(images, columns, axis=2, batch_dims=1)


@keras.saving.register_keras_serializable(PACKAGE)
class ExtractGlimpse(ImageLayer):
    """Extract a window from images; pixels outside of the image are black.

    Args:
        size: the height and width of the window.
        offset: the vertical and horizontal position of the window.
        centered: measure the offset from the centre of the image to the centre of the window;
            otherwise, from the top left corner of the image to that of the window.
        normalized: whether an offset of 1 is half the image, or one pixel.
        name: the layer's name.
    """

    def __init__(
        self,
        size: list[PositiveInt],
        offset: list[float],
        centered: bool = True,
        normalized: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if len(size) != 2 or len(offset) != 2:
            raise ValueError(
                "size and offset must have two values each, vertical and horizontal; "
                f"got {size} and {offset}"
            )
        self.size = list(size)
        self.offset = list(offset)
        self.centered = centered
        self.normalized = normalized

    def call(self, images: Tensor) -> Tensor:
        """Return [batch, *size, channels]."""
        offsets = tf.tile(tf.constant([self.offset], tf.float32), [tf.shape(images)[0], 1])
        windows = tf.image.extract_glimpse(
            tf.cast(images, tf.float32),
            self.size,
            offsets,
            centered=self.centered,
            normalized=self.normalized,
            noise="zero",
        )
        return tf.cast(tf.ensure_shape(windows, [None, *self.size, images.shape[-1]]), images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class ToBoundingBox(ImageLayer):
    """Pad images with black to a larger size, or crop them to a smaller one.

    Args:
        offset_height: the number of rows to add, or to remove, at the top.
        offset_width: the number of columns to add, or to remove, at the left.
        target_height: the new height in pixels.
        target_width: the new width in pixels.
        method: `pad` or `crop`.
        name: the layer's name.
    """

    def __init__(
        self,
        offset_height: NonNegativeInt,
        offset_width: NonNegativeInt,
        target_height: PositiveInt,
        target_width: PositiveInt,
        method: Literal["pad", "crop"] = "pad",
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.offset_height = offset_height
        self.offset_width = offset_width
        self.target_height = target_height
        self.target_width = target_width
        self.method = method

    def call(self, images: Tensor) -> Tensor:
        """Return [batch, target_height, target_width, channels]."""
        box = (self.offset_height, self.offset_width, self.target_height, self.target_width)
        if self.method == "pad":
            return tf.image.pad_to_bounding_box(images, *box)
        return tf.image.crop_to_bounding_box(images, *box)


@keras.saving.register_keras_serializable(PACKAGE)
class Flip(RandomImageLayer):
    """Flip images.

    Args:
        axis: 0 flips vertically, 1 flips horizontally.
        is_random: flip each image with probability 0.5, in training only; otherwise flip all images
            in all modes.
        seed: the seed of the random choice.
        name: the layer's name.
    """

    def __init__(
        self,
        axis: Literal[0, 1] = 1,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.axis = axis

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return images of the same shape and dtype."""
        flipped = tf.reverse(images, [self.axis + 1])
        return choose(self.draw(images) < 0.5, flipped, images) if random else flipped


@keras.saving.register_keras_serializable(PACKAGE)
class Transpose(ImageLayer):
    """Exchange the rows and columns of images.

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Tensor) -> Tensor:
        """Return [batch, width, height, channels]."""
        return tf.transpose(images, [0, 2, 1, 3])


@keras.saving.register_keras_serializable(PACKAGE)
class Rotate90(RandomImageLayer):
    """Rotate images counter-clockwise by multiples of 90 degrees.

    Args:
        k: the number of rotations by 90 degrees, or the largest one with `is_random`.
        is_random: rotate each image 0 to `k` times, in training only; images must be square.
        seed: the seed of the random choice.
        name: the layer's name.
    """

    def __init__(
        self,
        k: NonNegativeInt = 1,
        is_random: bool = False,
        seed: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(is_random=is_random, seed=seed, name=name)
        self.k = k

    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return [batch, height, width, channels], or height and width exchanged."""
        if not random:
            return rotate(images, self.k)
        if images.shape[1] != images.shape[2]:
            raise ValueError(
                f"images of {images.shape[1]} x {images.shape[2]} are not square, "
                "so they cannot be rotated at random"
            )
        quarter_turns = tf.floor(self.draw(images, 0.0, self.k + 1.0))
        rotated = images
        for quarters in range(1, min(self.k, 3) + 1):
            rotated = choose(quarter_turns % 4 == quarters, rotate(images, quarters), rotated)
        return rotated


def rotate(images: Tensor, quarters: int) -> Tensor:
    """Rotate images counter-clockwise by `quarters` times 90 degrees."""
    if quarters % 2:
        images = tf.transpose(images, [0, 2, 1, 3])
    reversed_axes = {0: [], 1: [1], 2: [1, 2], 3: [2]}[quarters % 4]
    return tf.reverse(images, reversed_axes) if reversed_axes else images
