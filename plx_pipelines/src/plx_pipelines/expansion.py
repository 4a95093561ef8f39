"""Read compressed files, but not the small ones that expand to fill the memory."""

from __future__ import annotations

import gzip
import io
import os
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from plx_core.errors import DataError

FREE_BYTES = 2**28
"""Data of this size is read in any case."""
MAX_RATIO = 100
"""The size of further data, relative to the compressed file; ordinary files expand less."""


def read_maybe_gzip(path: Path, form: str = "") -> bytes:
    """Return the content of a file, decompressed if its name ends with `.gz`.

    Args:
        path: the file.
        form: what it is read as, for messages, such as ` as text`.

    Raises:
        DataError: the file cannot be read, or expands to too much.
    """
    try:
        if path.suffix != ".gz":
            return path.read_bytes()
        most = _limit(path)
        with gzip.open(path) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read{form}: {error}") from error
    if len(content) > most:
        raise DataError(_too_large(path, f"more than {most:,}"))
    return content


def load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays of a `.npz` file by name.

    Raises:
        DataError: the file cannot be read as arrays, or expands to too much.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _limit(Path(path)):
            raise DataError(_too_large(path, f"{size:,}"))
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read as arrays: {error}") from error


def open_image(source: str | IO[bytes] | bytes) -> Image.Image:
    """Open an image with Pillow, which decodes it later.

    Args:
        source: a file, or its content.

    Raises:
        ValueError: the image cannot be opened, or has more pixels than Pillow finds safe.
    """
    if isinstance(source, bytes):
        source = io.BytesIO(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(source)
    except (
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
    ) as error:
        raise ValueError(str(error)) from error


def _limit(path: Path) -> int:
    return max(FREE_BYTES, MAX_RATIO * path.stat().st_size)


def _too_large(path: str | os.PathLike[str], size: str) -> str:
    return (
        f"{path} expands to {size} bytes, more than {MAX_RATIO} times its own size; "
        "if that is right, decompress it first"
    )
