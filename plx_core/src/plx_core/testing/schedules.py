"""The check of learning-rate schedules."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import ScheduleLike
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import USE_OPS, copy_of, require_same_numbers
from plx_core.testing.part import Params, part_of
from plx_core.testing.values import close

STEPS = (0, 1, 10, 1_000, 1_000_000)


def check_schedule(schedule: ScheduleLike, params: Params | None = None) -> None:
    """Check that a schedule is finite and not negative, also when traced, and can be copied.

    Args:
        schedule: a class, a function that returns one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("schedules", schedule, params)
    with own_settings():
        function = part.build()
        did = f"called it with the steps {', '.join(map(str, STEPS))}"
        with (
            expecting(part.about, did, "a rate for each", f"{USE_OPS} in __call__(self, step)"),
            no_global_randomness(part.about, did),
        ):
            rates = [float(function(step)) for step in STEPS]
        require(
            np.isfinite(rates).all() and min(rates) >= 0,
            part.about,
            did,
            rates,
            "finite rates, none below 0",
            "clip the step to the range in which the formula is valid",
        )
        traced = tf.function(lambda step: function(step), autograph=False)
        did = "called it in a tf.function with an int64 step"
        with expecting(
            part.about,
            did,
            "the same rates",
            'cast the step to "float32", and use keras.ops.where, not if',
        ):
            traced_rates = [float(traced(tf.constant(step, tf.int64))) for step in STEPS]
        require(
            close(rates, traced_rates),
            part.about,
            did,
            traced_rates,
            f"the same rates, {rates}",
            "use keras.ops.where: an if is evaluated only once, during tracing",
        )
        copied = copy_of(part, keras.optimizers.schedules, function)
        require_same_numbers(part.about, rates, [float(copied(step)) for step in STEPS])
