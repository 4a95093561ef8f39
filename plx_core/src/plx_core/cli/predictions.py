"""Write predictions to files, and read latents back."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from plx_core.errors import ComponentError
from plx_core.types import Array

SUFFIXES = (".jsonl", ".npz")


def write_predictions(predictions: Iterable[Mapping[str, Array]], path: Path | None) -> int:
    """Write a line of JSON for each example, or an .npz file with an array for each prediction.

    Args:
        predictions: for each example, arrays by name.
        path: a .jsonl or .npz file; standard output when None.

    Returns:
        The number of examples.

    Raises:
        ComponentError: the file has another suffix.
    """
    if path is None:
        return _write_lines(predictions, sys.stdout)
    if path.suffix not in SUFFIXES:
        raise ComponentError(f"predictions go to a .jsonl or an .npz file, not to {path.name}")
    if path.suffix == ".npz":
        return _write_arrays(predictions, path)
    with path.open("w", encoding="utf-8") as file:
        return _write_lines(predictions, file)


def read_latents(path: Path) -> Array:
    """Return the latents in an .npz file written by `write_predictions`, float32 [n, …].

    Raises:
        ComponentError: the file does not exist, or holds no latents.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays["latent"], np.float32)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ComponentError(
            f"{path} is not an .npz file with an array called latent: {error}"
        ) from error


def _write_lines(predictions: Iterable[Mapping[str, Array]], file: TextIO) -> int:
    count = 0
    for row in predictions:
        file.write(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n")
        count += 1
    return count


def _write_arrays(predictions: Iterable[Mapping[str, Array]], path: Path) -> int:
    rows = list(predictions)
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}
    np.savez_compressed(path, allow_pickle=False, **columns)
    return len(rows)


def _plain(value: Array) -> object:
    plain = np.asarray(value).tolist()
    return plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain
