"""What is drawn on images, or measured of them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from plx_pipelines.processors.images import PACKAGE, ImageLayer, greatest


@keras.saving.register_keras_serializable(PACKAGE)
class DrawBoundingBoxes(ImageLayer):
    """Images with frames drawn on them.

    Args:
        boxes: of each frame top, left, bottom and right, as parts of height and width from 0 to 1.
        colors: of each frame the value of each channel, where white is 1; TensorFlow's own when left out.
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
        self.boxes, self.colors = boxes, colors

    def call(self, images: Any) -> Any:
        """The same shape."""
        white = greatest(images.dtype)
        boxes = tf.tile(tf.constant([self.boxes], tf.float32), [tf.shape(images)[0], 1, 1])
        colors = None if self.colors is None else tf.constant(self.colors, tf.float32) * white
        drawn = tf.image.draw_bounding_boxes(tf.cast(images, tf.float32), boxes, colors)
        return tf.saturate_cast(drawn, images.dtype)


@keras.saving.register_keras_serializable(PACKAGE)
class TotalVariation(ImageLayer):
    """How much neighbouring pixels of an image differ: the sum of the differences' sizes, a number for each image.

    Args:
        name: the layer's name.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name)

    def call(self, images: Any) -> Any:
        """Float32 [batch]."""
        return tf.image.total_variation(tf.cast(images, tf.float32))
