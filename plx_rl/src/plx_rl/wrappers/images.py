"""Images of one environment: pure functions of arrays [H, W, C]."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from gymnasium import spaces

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""How bright red, green and blue are to the eye. Source: ITU-R BT.601."""


def is_image(space: Any) -> bool:
    """Whether a space holds images of bytes."""
    return isinstance(space, spaces.Box) and space.dtype == np.uint8 and len(space.shape) in (2, 3)


def grey(image: np.ndarray) -> np.ndarray:
    """The brightness [H, W, 1] of a colour image [H, W, 3]."""
    return np.asarray(np.rint(image @ LUMINANCE).astype(np.uint8)[..., None])


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image [H, W, C] or [H, W] in another size: each pixel is the mean of the area that it covers."""
    rows, columns = area_weights(image.shape[0], height), area_weights(image.shape[1], width)
    sized = np.einsum("hi,ij...,wj->hw...", rows, image.astype(np.float32), columns, optimize=True)
    return np.asarray(np.rint(sized).astype(np.uint8))


@cache
def area_weights(size: int, new_size: int) -> np.ndarray:
    """How much of each of `size` pixels lies under each of `new_size`: [new_size, size], each row of sum 1."""
    edges = np.linspace(0.0, size, new_size + 1)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights = np.clip(overlap, 0.0, None)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def image_space(height: int, width: int, channels: tuple[int, ...] = ()) -> Any:
    """The space of images of bytes of a size."""
    return spaces.Box(0, 255, (height, width, *channels), np.uint8)
