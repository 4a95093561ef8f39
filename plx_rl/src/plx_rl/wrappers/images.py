"""Pure functions of images: arrays [H, W, C]."""

from __future__ import annotations

from functools import cache

import numpy as np
from gymnasium import spaces

from plx_core.types import Space

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""The weights of red, green and blue in the perceived brightness. Source: ITU-R BT.601."""


def is_image(space: Space) -> bool:
    """Return whether a space holds uint8 images."""
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3)


def grey(image: np.ndarray) -> np.ndarray:
    """Return the brightness, uint8 [H, W, 1], of an RGB image [H, W, 3]."""
    return np.asarray(np.rint(image @ LUMINANCE).astype(np.uint8)[..., None])


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image [H, W, C] or [H, W]; each new pixel is the mean of the area it covers."""
    rows = area_weights(image.shape[0], height)
    columns = area_weights(image.shape[1], width)
    sized = np.einsum("hi,ij...,wj->hw...", rows, image.astype(np.float32), columns, optimize=True)
    return np.asarray(np.rint(sized).astype(np.uint8))


@cache
def area_weights(size: int, new_size: int) -> np.ndarray:
    """Return the fraction of each new pixel that each old pixel covers.

    Returns:
        Weights [new_size, size]; each row sums to 1.
    """
    edges = np.linspace(0.0, size, new_size + 1)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(overlap, 0.0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def image_space(height: int, width: int, channels: tuple[int, ...] = ()) -> spaces.Box:
    """Return the space of uint8 images of a size."""
    return spaces.Box(0, 255, (height, width, *channels), np.uint8)
