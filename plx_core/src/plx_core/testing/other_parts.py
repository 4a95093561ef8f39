"""The check of kinds that are small: a signature that a config can be checked against, an object, and a call where one is possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.testing.failures import expecting, require
from plx_core.testing.making import Part, close, own_settings, part_of, plain

UNBUILT = frozenset(("agents", "bridges", "datasets", "wrappers"))
"""Kinds whose factories need a run, an environment or a download: of these only the signature is checked."""
AS_OPS = "compute with keras.ops alone"


def check_part(kind: str, part: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a part of a kind that has no check of its own, such as an initializer or an activation.

    Args:
        kind: one of `plx_core.KINDS`.
        part: a class, a function, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    found = part_of(kind, part, params)
    if kind in UNBUILT:
        return
    with own_settings():
        made = found.build()
        values = tf.constant(np.random.default_rng(1).normal(size=(4, 3)).astype("float32"))
        if kind == "initializers":
            _require_result(found, "made weights of shape (4, 4)", lambda: made((4, 4), dtype="float32"), (4, 4))
        elif kind == "regularizers":
            _require_result(found, "called it with weights", lambda: made(values), ())
        elif kind == "constraints":
            _require_result(found, "called it with weights", lambda: made(values), (4, 3))
        elif kind == "activations":
            result = _require_result(found, "called it with a tensor", lambda: made(values), None)
            with expecting(found.about, "called it in a tf.function", "the same numbers", AS_OPS):
                traced = plain(tf.function(made)(values))
            require(close(result, traced), found.about, "called it in a tf.function", "other numbers", "the same numbers", AS_OPS)


def _require_result(part: Part, did: str, call: Any, shape: tuple[int, ...] | None) -> Any:
    with expecting(part.about, did, "numbers", AS_OPS):
        result = plain(call())
    require(shape is None or result.shape == shape, part.about, did, f"the shape {result.shape}", f"the shape {shape}", "mend the shape")
    require(np.isfinite(result).all(), part.about, did, "numbers that are not finite", "finite numbers", "keep divisions away from 0")
    return result
