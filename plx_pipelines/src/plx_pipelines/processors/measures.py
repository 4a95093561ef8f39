"""Layers that draw on images, or measure them."""

from __future__ import annotations

import keras
import tensorflow as tf

from plx_core.types import Tensor
from plx_pipelines.processors.base import PACKAGE, ImageLayer, white_value


@keras.saving.register_keras_serializable(PACKAGE)
class DrawBoundingBoxes(ImageLayer):
    """Draw the outlines of boxes on images.

    Args:
        boxes: the top, left, bottom and right of each box, as fractions of height and width.
        colors: the colour of each box, with a value for each channel, where white is 1; None for
            TensorFlow's colours.
        name: the layer's name.
    """

    def __init__(
        self,
        boxes: list[list[float]],
        colors: list[list[float]] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        if any(len(box) != 4 for box in boxes):
            raise ValueError(f"a box has four sides: top, left, bottom, right; got {boxes}")
        self.boxes = boxes
        self.colors = colors

    def call(self, images: Tensor) -> Tensor:
        """Return images of the same shape and dtype."""
        white = white_value(images.dtype)
        boxes = tf.tile(tf.constant([self.boxes], tf.float32), [tf.shape(images)[0], 1, 1])
        colors = None if self.colors is None else tf.constant(self.colors, tf.float32) * white
        drawn = tf.image.draw_bounding_boxes(tf.cast(images, tf.float32), boxes, colors)
        return tf.saturate_cast(drawn, images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class TotalVariation(ImageLayer):
    """Compute the sum of absolute differences between neighbouring pixels of each image.

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Tensor) -> Tensor:
        """Return float32 [batch]."""
        return tf.image.total_variation(tf.cast(images, tf.float32))
