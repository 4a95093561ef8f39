"""Where the pixels of images go: sizes, crops, flips, turns."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from plx_core.annotations import Fraction, NonNegativeInt, PositiveInt
from plx_pipelines.processors.images import PACKAGE, ImageLayer, RandomImageLayer, choose

Method: TypeAlias = Literal[
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic"
]


@keras.saving.register_keras_serializable(PACKAGE)
class Resize(ImageLayer):
    """Images of another size; whole numbers stay whole, rounded to the nearest.

    Args:
        height: pixels from top to bottom.
        width: pixels from left to right.
        method: how pixels in between are found.
        antialias: whether a smaller image is an average of all pixels of the larger one.
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
        self.height, self.width = height, width
        self.method = method
        self.antialias = antialias

    def call(self, images: Any) -> Any:
        """[batch, height, width, channels]."""
        resized = tf.image.resize(
            images, (self.height, self.width), self.method, antialias=self.antialias
        )
        return tf.saturate_cast(
            tf.round(resized) if images.dtype.is_integer else resized, images.dtype
        )


@keras.saving.register_keras_serializable(PACKAGE)
class CentralCrop(ImageLayer):
    """The middle of images.

    Args:
        central_fraction: the part of height and width that is kept, above 0.
        name: the layer's name.
    """

    def __init__(self, central_fraction: Fraction, name: str | None = None) -> None:
        super().__init__(name=name)
        if not 0 < central_fraction <= 1:
            raise ValueError(
                f"central_fraction must be above 0 and at most 1, not {central_fraction}"
            )
        self.central_fraction = central_fraction

    def call(self, images: Any) -> Any:
        """[batch, fraction of height, fraction of width, channels]."""
        return tf.image.central_crop(images, self.central_fraction)


@keras.saving.register_keras_serializable(PACKAGE)
class RandomImageCrop(RandomImageLayer):
    """A part of each image, in a place of its own; outside training the middle. (Keras's RandomCrop has one place for a batch.).

    Args:
        height: pixels from top to bottom.
        width: pixels from left to right.
        seed: what the places follow from.
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

    def leave(self, images: Any) -> Any:
        """The middle."""
        return self.change(images, random=False)

    def change(self, images: Any, random: bool) -> Any:
        """[batch, height, width, channels]."""
        room = [images.shape[1] - self.height, images.shape[2] - self.width]
        if min(room) < 0:
            raise ValueError(
                f"images of {images.shape[1]} x {images.shape[2]} are smaller than the crop, {self.height} x {self.width}"
            )
        if not random:
            top, left = (space // 2 for space in room)
            return images[:, top : top + self.height, left : left + self.width]
        tops, lefts = (
            tf.cast(tf.floor(self.draw(images, 0.0, space + 1.0)), tf.int32) for space in room
        )
        rows = tops[:, None] + tf.range(self.height)
        columns = lefts[:, None] + tf.range(self.width)
        return tf.gather(
            tf.gather(images, rows, axis=1, batch_dims=1), columns, axis=2, batch_dims=1
        )


@keras.saving.register_keras_serializable(PACKAGE)
class ExtractGlimpse(ImageLayer):
    """A window of images, around a point, or below and right of it; what lies outside is black.

    Args:
        size: height and width of the window.
        offset: the point, from top and left: from -1 to 1 with 0 in the middle, or in pixels.
        centered: whether the offset counts from the middle, and is that of the window's middle; else it is from the image's corner to
            the window's.
        normalized: whether 1 is half the image, or a pixel.
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
                f"size and offset are a pair each, from top to bottom and from left to right; got {size} and {offset}"
            )
        self.size, self.offset = list(size), list(offset)
        self.centered, self.normalized = centered, normalized

    def call(self, images: Any) -> Any:
        """[batch, *size, channels]."""
        offsets = tf.tile(tf.constant([self.offset], tf.float32), [tf.shape(images)[0], 1])
        found = tf.image.extract_glimpse(
            tf.cast(images, tf.float32),
            self.size,
            offsets,
            centered=self.centered,
            normalized=self.normalized,
            noise="zero",
        )
        return tf.cast(tf.ensure_shape(found, [None, *self.size, images.shape[-1]]), images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class ToBoundingBox(ImageLayer):
    """Images put into a larger black frame, or cut out of their own.

    Args:
        offset_height: rows above the image, or above what is cut out.
        offset_width: columns left of it.
        target_height: rows of the frame, or of what is cut out.
        target_width: columns of it.
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
        self.offset_height, self.offset_width = offset_height, offset_width
        self.target_height, self.target_width = target_height, target_width
        self.method = method

    def call(self, images: Any) -> Any:
        """[batch, target_height, target_width, channels]."""
        put = (
            tf.image.pad_to_bounding_box if self.method == "pad" else tf.image.crop_to_bounding_box
        )
        return put(
            images, self.offset_height, self.offset_width, self.target_height, self.target_width
        )


@keras.saving.register_keras_serializable(PACKAGE)
class Flip(RandomImageLayer):
    """Mirrored images.

    Args:
        axis: 0 turns them upside down, 1 exchanges left and right.
        is_random: whether it happens to half of the images, in training only; else to all, always.
        seed: what the choice follows from.
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

    def change(self, images: Any, random: bool) -> Any:
        """The same shape."""
        flipped = tf.reverse(images, [self.axis + 1])
        return choose(self.draw(images) < 0.5, flipped, images) if random else flipped


@keras.saving.register_keras_serializable(PACKAGE)
class Transpose(ImageLayer):
    """Images with rows and columns exchanged.

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Any) -> Any:
        """[batch, width, height, channels]."""
        return tf.transpose(images, [0, 2, 1, 3])


@keras.saving.register_keras_serializable(PACKAGE)
class Rotate90(RandomImageLayer):
    """Images turned to the left by quarters.

    Args:
        k: how many quarters; at random, how many at most.
        is_random: whether each image, which must be square, is turned by 0 to `k` quarters, in training only.
        seed: what the choice follows from.
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

    def change(self, images: Any, random: bool) -> Any:
        """[batch, height, width, channels], or with the first two exchanged."""
        if not random:
            return turn(images, self.k)
        if images.shape[1] != images.shape[2]:
            raise ValueError(
                f"images of {images.shape[1]} x {images.shape[2]} cannot be turned at random: they are not square"
            )
        turns = tf.floor(self.draw(images, 0.0, self.k + 1.0))
        turned = images
        for quarters in range(1, min(self.k, 3) + 1):
            turned = choose(turns % 4 == quarters, turn(images, quarters), turned)
        return turned


def turn(images: Any, quarters: int) -> Any:
    """Images turned to the left."""
    if quarters % 2:
        images = tf.transpose(images, [0, 2, 1, 3])
    reversed_axes = {0: [], 1: [1], 2: [1, 2], 3: [2]}[quarters % 4]
    return tf.reverse(images, reversed_axes) if reversed_axes else images
