"""Read IDX files of unsigned bytes, the format of MNIST.

A file has two zero bytes, the type 0x08, the number of axes, their sizes as big-endian uint32, and
the values.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.expansion import read_maybe_gzip

UNSIGNED_BYTE = 0x08


def find_idx(folder: Path, name: str) -> Path | None:
    """Find a file by its name: with or without `.gz`, and also with a dot before `idx`."""
    names = [name, f"{name}.gz", name.replace("-idx", ".idx"), f"{name.replace('-idx', '.idx')}.gz"]
    return next((folder / choice for choice in names if (folder / choice).is_file()), None)


def read_idx(path: Path, axes: int) -> np.ndarray:
    """Return the array of a file: uint8 with `axes` axes.

    Raises:
        DataError: the file has another format, is truncated, or has extra bytes.
    """
    content = read_maybe_gzip(path)
    header = 4 + 4 * axes
    if len(content) < header or content[:4] != bytes([0, 0, UNSIGNED_BYTE, axes]):
        raise DataError(
            f"{path} is not an IDX file of bytes with {axes} axes: "
            f"it begins with {content[:4].hex(' ')}"
        )
    shape = struct.unpack_from(f">{axes}I", content, 4)
    if len(content) != header + math.prod(shape):
        raise DataError(
            f"{path} has {len(content) - header} bytes of values; "
            f"its shape {shape} makes {math.prod(shape)}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
