"""Compare nested arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.runs import checkpoints
from plx_core.state import State
from plx_core.testing.failures import expecting, require
from plx_core.types import Nested

MAX_LENGTH = 160


def plain(value: Nested) -> Nested:
    """Copy nested tensors to NumPy arrays."""
    return tf.nest.map_structure(lambda part: np.array(part), value)


def same(one: Nested, other: Nested) -> bool:
    """Return whether nested values are equal bit for bit."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if one is None or other is None:
        return one is other
    first, second = np.asarray(one), np.asarray(other)
    is_number = first.dtype.kind in "fc"
    return first.shape == second.shape and np.array_equal(first, second, equal_nan=is_number)


def close(one: Nested, other: Nested, tolerance: float = 1e-4) -> bool:
    """Return whether nested numbers are nearly equal."""
    first, second = tf.nest.flatten(plain(one)), tf.nest.flatten(plain(other))
    return len(first) == len(second) and all(
        _is_close(left, right, tolerance) for left, right in zip(first, second, strict=True)
    )


def short(value: Nested) -> str:
    """Return a value as a short string."""
    text = " ".join(str(plain(value)).split())
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]}…"


def saved_and_loaded(about: str, state: State) -> dict[str, Any]:
    """Return a part's state after a round trip through a checkpoint.

    Raises:
        CheckFailed: a checkpoint cannot hold it.
    """
    remedy = (
        "return a mapping of names to NumPy arrays, numbers, strings, None, lists of these, "
        "and mappings of these"
    )
    require(
        isinstance(state, Mapping),
        about,
        "called state()",
        f"a {type(state).__name__}",
        "a mapping",
        remedy,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        expecting(about, "wrote its state() to a checkpoint", "a checkpoint", remedy),
    ):
        path = checkpoints.Checkpoints(Path(folder)).save(1, {"part": dict(state)})
        result: dict[str, Any] = checkpoints.load(path)["part"]
    return result


def _is_close(left: np.ndarray, right: np.ndarray, tolerance: float) -> bool:
    if left.shape != right.shape:
        return False
    if left.dtype.kind not in "fiub":
        return bool((left == right).all())
    return np.allclose(left.astype(float), right.astype(float), tolerance, tolerance, True)
