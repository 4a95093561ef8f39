"""Find and read image files, in one folder for each class, without TensorFlow."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from plx_core.errors import CorruptData, DataError
from plx_pipelines.expansion import open_image

SUFFIXES = (".jpg", ".jpeg", ".png")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Pillow's mode for a number of channels."""


def find_classes(folder: str | os.PathLike[str]) -> list[str]:
    """Return the names of the sub-folders that are not hidden, in alphabetical order.

    Raises:
        DataError: there are none.
    """
    names = sorted(
        path.name
        for path in Path(folder).iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )
    if not names:
        raise DataError(f"{folder} has no folder; there must be one for each class")
    return names


def find_images(folder: Path) -> list[str]:
    """Return the image files in a folder, in alphabetical order.

    Raises:
        DataError: there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}")
    files = sorted(
        os.fspath(path)
        for path in folder.iterdir()
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    if not files:
        raise DataError(f"{folder} has no image; a file's name must end with {', '.join(SUFFIXES)}")
    return files


def find_faults(paths: Sequence[str], most: int | None = None) -> dict[str, str]:
    """Return the files that are not complete images, each with an error message."""
    faults: dict[str, str] = {}
    for path in paths:
        try:
            with open_image(path) as image:
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            faults[path] = f"{path} is not an image that can be read: {error}"
            if len(faults) == most:
                break
    return faults


def read_image(
    path: str, size: tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Read an image file as uint8 [height, width, channels].

    Args:
        path: the file.
        size: the height and width to resize to; None keeps the file's.
        channels: 1 for greyscale, 3 for RGB, 4 for RGB with transparency; None keeps the file's.

    Raises:
        CorruptData: the file is not an image, or is truncated.
    """
    return _decode(path, path, size, channels)


def decode_image(
    content: bytes, name: str, size: tuple[int, int] | None = None, channels: int | None = None
) -> np.ndarray:
    """Decode the content of a file as `read_image` does; error messages call it `name`."""
    return _decode(io.BytesIO(content), name, size, channels)


def _decode(
    source: str | IO[bytes], name: str, size: tuple[int, int] | None, channels: int | None
) -> np.ndarray:
    try:
        with open_image(source) as file:
            bands = len(file.getbands()) if file.mode in MODES.values() else 3
            image = file.convert(MODES[channels or bands])
    except (OSError, SyntaxError, ValueError) as error:
        raise CorruptData(f"{name} is not an image that can be read: {error}") from error
    if size is not None and (image.height, image.width) != size:
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
