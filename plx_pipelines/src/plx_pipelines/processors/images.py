"""What the layers that process images have in common."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any

import keras
import tensorflow as tf

PACKAGE = "plx_pipelines"


class ImageLayer(keras.layers.Layer):
    """A layer without weights, which leaves the dtype of images alone."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False, autocast=False)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Found by tracing `call`, where Keras would assume the layer's own dtype."""
        return keras.src.backend.compute_output_spec(self.call, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments: each is an attribute of its own name."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


class RandomImageLayer(ImageLayer):
    """A layer that may draw numbers for each image.

    Args:
        is_random: whether it changes images at random, in training only; else it changes all of them, always.
        seed: what the numbers follow from; in a pipeline, from its own seed and the number of the batch.
        name: the layer's name.
    """

    def __init__(self, is_random: bool, seed: int | None, name: str | None) -> None:
        super().__init__(name=name)
        self.is_random = is_random
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """The images, changed."""
        if self.is_random and not training:
            return self.leave(images)
        return self.change(images, random=self.is_random)

    def leave(self, images: Any) -> Any:
        """What becomes of images outside training, where the layer is random."""
        return images

    @abstractmethod
    def change(self, images: Any, random: bool) -> Any:
        """The images changed, each in its own way if that is random."""

    def draw(self, images: Any, low: float = 0.0, high: float = 1.0) -> Any:
        """A number in [low, high) for each image: float32 [batch]."""
        return keras.random.uniform(
            (tf.shape(images)[0],), low, high, dtype="float32", seed=self.seed_generator
        )


def choose(chosen: Any, yes: Any, no: Any) -> Any:
    """Images of `yes` where bool [batch] is true, and else of `no`."""
    return tf.where(chosen[:, None, None, None], yes, no)


def greatest(dtype: Any) -> float:
    """What is white: the greatest whole number of the dtype, or 1."""
    return float(dtype.max) if dtype.is_integer else 1.0
