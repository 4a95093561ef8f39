"""Predictions to files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from plx_core.errors import ComponentError


def write_predictions(predictions: Iterable[Mapping[str, np.ndarray]], path: Path | None) -> int:
    """Write a line of JSON for each example, or one NPZ file with an array for each prediction.

    Args:
        predictions: one mapping of names to arrays for each example.
        path: a .jsonl or .npz file; standard output when None.

    Returns:
        How many examples there were.
    """
    if path is not None and path.suffix not in (".jsonl", ".npz"):
        raise ComponentError(
            f"predictions are written to a .jsonl or an .npz file, not to {path.name}"
        )
    if path is not None and path.suffix == ".npz":
        rows = list(predictions)
        np.savez_compressed(
            path,
            allow_pickle=False,
            **{name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {},
        )
        return len(rows)
    count = 0
    file = sys.stdout if path is None else path.open("w", encoding="utf-8")
    try:
        for row in predictions:
            file.write(json.dumps({name: _plain(value) for name, value in row.items()}) + "\n")
            count += 1
    finally:
        if path is not None:
            file.close()
    return count


def read_latents(path: Path) -> np.ndarray:
    """The latents in a file that `write_predictions` made: float [n, …].

    Raises:
        ComponentError: there is no such file, or it holds none.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return np.asarray(stored["latent"], np.float32)
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ComponentError(
            f"{path} is not an .npz file with an array called latent: {error}"
        ) from error


def _plain(value: np.ndarray) -> object:
    plain = np.asarray(value).tolist()
    return plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain
