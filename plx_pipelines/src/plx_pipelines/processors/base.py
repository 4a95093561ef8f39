"""Base classes of the layers that process images."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any

import keras
import tensorflow as tf

from plx_core.types import Tensor

PACKAGE = "plx_pipelines"


class ImageLayer(keras.layers.Layer):
    """A layer without weights that does not cast images."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name=name, trainable=False, autocast=False)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Tensor:
        """Trace `call` for the dtype, as Keras would assume the layer's compute dtype."""
        return keras.src.backend.compute_output_spec(self.call, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, which are attributes of the same names."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}


class RandomImageLayer(ImageLayer):
    """A layer that may change each image at random.

    Args:
        is_random: change images at random, in training only; otherwise change all images alike, in
            all modes.
        seed: the seed of the random numbers; in a pipeline, they depend on the pipeline's seed and
            the number of the batch instead.
        name: the layer's name.
    """

    def __init__(self, is_random: bool, seed: int | None, name: str | None) -> None:
        super().__init__(name=name)
        self.is_random = is_random
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images: Tensor, training: bool = False) -> Tensor:
        """Return the changed images."""
        if self.is_random and not training:
            return self.leave(images)
        return self.change(images, random=self.is_random)

    def leave(self, images: Tensor) -> Tensor:
        """Return the images for use outside of training, if the layer is random."""
        return images

    @abstractmethod
    def change(self, images: Tensor, random: bool) -> Tensor:
        """Return the changed images; with `random`, each with other random numbers."""

    def draw(self, images: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Draw a number in [low, high) for each image: float32 [batch]."""
        return keras.random.uniform(
            (tf.shape(images)[0],), low, high, dtype="float32", seed=self.seed_generator
        )


def choose(condition: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Return the images of `yes` where `condition`, bool [batch], is true, else those of `no`."""
    return tf.where(condition[:, None, None, None], yes, no)


def white_value(dtype: tf.DType) -> float:
    """Return the value of white: the maximum of an integer dtype, or 1."""
    return float(dtype.max) if dtype.is_integer else 1.0
