"""The check of losses."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import LossLike
from plx_core.testing.failures import CannotTry, describe, expecting, require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import (
    AVOID_ZERO,
    USE_OPS,
    check_traced,
    copy_of,
    gradient_of,
    require_same_numbers,
)
from plx_core.testing.part import Params, part_of
from plx_core.testing.values import short
from plx_core.types import Array, Nested

BATCH = 4


def check_loss(
    loss: LossLike,
    params: Params | None = None,
    *,
    labels: Array | None = None,
    outputs: Array | None = None,
) -> None:
    """Check a loss: one finite number, also when traced; gradients, half precision, and copies.

    Args:
        loss: a class, a function that returns one, or a name.
        params: its parameters.
        labels: a batch of labels; by default, the check tries common kinds.
        outputs: a network's outputs for the same batch; give both or neither.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("losses", loss, params)
    with own_settings():
        function = part.build()
        labels, outputs = batch_for(part.about, function, labels, outputs)
        did = f"called it with labels {labels.shape} {labels.dtype} and outputs {outputs.shape}"
        with no_global_randomness(part.about, did):
            value = np.asarray(function(labels, outputs))
        require(
            value.shape == (),
            part.about,
            did,
            f"shape {value.shape}",
            "one number",
            "return one number for each example from call(); keras.losses.Loss averages them",
        )
        require(np.isfinite(value), part.about, did, value, "a finite number", AVOID_ZERO)
        check_traced(part.about, lambda *batch: function(*batch), (labels, outputs), value)
        gradient = gradient_of(lambda variable: function(labels, variable), outputs)
        require(
            gradient is not None and np.isfinite(np.asarray(gradient)).all(),
            part.about,
            "took its gradient with respect to the outputs",
            "none" if gradient is None else short(gradient),
            "finite gradients",
            f"{USE_OPS}: NumPy and .numpy() have no gradient",
        )
        did = "called it with outputs in float16, as in mixed precision"
        remedy = "cast the outputs to float32 before any operation that can overflow"
        with expecting(part.about, did, "a number", remedy):
            half = np.asarray(function(labels, tf.cast(outputs, "float16")))
        require(np.isfinite(half), part.about, did, half, "a finite number", remedy)
        copied = copy_of(part, keras.losses, function)
        require_same_numbers(part.about, value, copied(labels, outputs))


def batch_for(
    about: str,
    call: Callable[[Array, Array], Nested],
    labels: Array | None,
    outputs: Array | None,
    takes: str | None = None,
) -> tuple[Array, Array]:
    """Return the labels and outputs that a check was given, or the first common batch that works.

    If every common batch fails or gives a number that is not finite, return one of the latter, so
    that the check reports it.

    Args:
        about: what is checked.
        call: takes labels and outputs.
        labels: the labels given.
        outputs: the outputs given.
        takes: what a metric declares; see `plx_core.metric_input`.

    Raises:
        CheckFailed: the given batch does not work.
        CannotTry: no common batch works.
    """
    if (labels is None) is not (outputs is None):
        raise TypeError("give labels and outputs, or neither")
    if labels is not None:
        labels, outputs = np.asarray(labels), np.asarray(outputs)
        with expecting(
            about,
            f"called it with labels {labels.shape} and outputs {outputs.shape}",
            "a result",
            "fix call(y_true, y_pred)",
        ):
            call(labels, outputs)
        return labels, outputs
    failures, not_finite = [], None
    for batch in _common_batches(takes):
        try:
            if _is_finite(call(*batch)):
                return batch
            not_finite = not_finite or batch
        except Exception as error:  # a loss may raise anything for a batch it does not accept
            failures.append(describe(error))
    if not_finite is None:
        raise CannotTry(
            f"{about} accepts none of the batches that the check tried; give labels and outputs. "
            f"{failures[0]}"
        )
    return not_finite


def _common_batches(takes: str | None) -> list[tuple[Array, Array]]:
    """Return labels with outputs: one-hot and three probabilities, indices, binary, and classes.

    If it is declared what a metric takes, they are of that kind.
    """
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(3), BATCH).astype("float32")
    indices = np.array([0, 2, 1, 2])
    one_hot = np.eye(3, dtype="float32")[indices]
    if takes == "classes":
        return [(indices, indices[::-1]), (indices % 2, indices[::-1] % 2)]
    if takes is not None:
        columns = np.log(probabilities) if takes == "logits" else probabilities
        return [(one_hot, columns), (one_hot[:, 2:], columns[:, 2:])]
    return [
        (one_hot, probabilities),
        (indices, probabilities),
        (indices % 2, rng.random(BATCH).astype("float32")),
        (indices % 2, indices[::-1] % 2),
    ]


def _is_finite(result: Nested) -> bool:
    numbers = [np.sum(part) for part in tf.nest.flatten(result) if part is not None]
    return bool(np.isfinite(np.sum(numbers)))
