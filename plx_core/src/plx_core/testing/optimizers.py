"""The check of optimizers."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import OptimizerLike
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import own_settings
from plx_core.testing.keras_objects import USE_OPS, copy_of, require_same_numbers
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.values import close
from plx_core.types import Optimizer, Tensor, Variable

START = (1.0, -2.0)
STEPS = 12


def check_optimizer(optimizer: OptimizerLike, params: Params | None = None) -> None:
    """Check that an optimizer lowers a loss, resumes exactly from its variables, and can be copied.

    Args:
        optimizer: a class, a function that returns one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("optimizers", optimizer, params)
    with own_settings():
        instance, weight = part.build(), _weight(START)
        require(
            hasattr(instance, "apply") and hasattr(instance, "learning_rate"),
            part.about,
            "built it",
            f"a {type(instance).__name__}",
            "a Keras optimizer",
            "derive it from keras.optimizers.Optimizer",
        )
        step = _step_of(instance, weight)
        did = f"took {STEPS} steps on w² from w = (1, −2)"
        with expecting(part.about, did, "a lower loss", f"{USE_OPS} in update_step"):
            losses = [float(step()) for _ in range(STEPS)]
        require(
            np.isfinite(losses).all() and losses[-1] < losses[0],
            part.about,
            did,
            f"the loss went from {losses[0]:.6g} to {losses[-1]:.6g}",
            "a lower loss",
            "subtract the update from the weight, and check the sign of the gradient",
        )
        _check_state(part, instance, weight, step)
        copied = copy_of(part, keras.optimizers, part.build())
        copied_step = _step_of(copied, _weight(START))
        require_same_numbers(part.about, losses, [float(copied_step()) for _ in range(STEPS)])


def _weight(values: tuple[float, ...]) -> Variable:
    return keras.Variable(np.array(values, "float32"))


def _step_of(optimizer: Optimizer, weight: Variable) -> Callable[[], Tensor]:
    """Build the optimizer and return a function that takes one step on w² and returns the loss."""
    optimizer.build([weight])

    @tf.function(autograph=False)
    def step() -> Tensor:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(weight.value))
            scaled = optimizer.scale_loss(loss)
        optimizer.apply([tape.gradient(scaled, weight.value)], [weight])
        return loss

    return step  # type: ignore[no-any-return]


def _check_state(
    part: Part, optimizer: Optimizer, weight: Variable, step: Callable[[], Tensor]
) -> None:
    """Fail the check if an optimizer's state is more than its variables."""
    other_weight = keras.Variable(np.asarray(weight))
    other = part.build()
    other_step = _step_of(other, other_weight)
    require(
        len(other.variables) == len(optimizer.variables),
        part.about,
        "built another one",
        f"{len(other.variables)} variables",
        f"as many as the first, {len(optimizer.variables)}",
        "create all variables in build()",
    )
    for target, source in zip(other.variables, optimizer.variables, strict=True):
        target.assign(source)
    results = [float(other_step()) for _ in range(3)]
    expected = [float(step()) for _ in range(3)]
    require(
        close(results, expected),
        part.about,
        "copied its variables to another one and took three more steps",
        results,
        str(expected),
        "keep what changes in variables, created in build() with add_variable or "
        "add_variable_from_reference",
    )
