"""What the checks of Keras's objects share: traced calls, and copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import keras
import tensorflow as tf

from plx_core.networks.load_model import custom_objects
from plx_core.testing.failures import expecting, require
from plx_core.testing.part import Built, Part
from plx_core.testing.values import close, short
from plx_core.types import Array, Nested, Tensor

USE_OPS = "use only keras.ops"
AVOID_ZERO = "keep logarithms, roots and divisions away from 0"
RETURN_CONFIG = (
    "store each constructor argument under its own name, and return these, and nothing else, from "
    "get_config()"
)


def check_traced(
    about: str,
    function: Callable[..., Nested],
    inputs: Sequence[Array],
    expected: Nested | None,
) -> None:
    """Fail the check if a `tf.function` gives other numbers than `expected`, or is traced twice.

    Raises:
        CheckFailed: it is.
    """
    program = tf.function(function, autograph=False)
    tensors = [tf.constant(value) for value in inputs]
    did = "called it in a tf.function"
    with expecting(
        about,
        did,
        "the same numbers",
        f"{USE_OPS}: no .numpy(), no float() of a tensor, and no if on its values",
    ):
        result = program(*tensors)
        program(*[tf.reverse(tensor, [0]) for tensor in tensors])
    require(
        expected is None or close(result, expected),
        about,
        did,
        short(result),
        f"the result of an eager call, {short(expected)}",
        "do not change Python numbers in call(): a traced function keeps their first values",
    )
    count = program.experimental_get_tracing_count()
    require(
        count == 1,
        about,
        "called it in a tf.function twice with tensors of one shape",
        f"it was traced {count} times",
        "once",
        "create no variables or Python values in call()",
    )


def copy_of(part: Part, module: ModuleType, original: Built) -> Built:
    """Return a copy built from `get_config()`, as Keras does when it loads a saved object.

    Args:
        part: the part.
        module: Keras's module for its kind, such as `keras.losses`.
        original: the object to copy.

    Raises:
        CheckFailed: it cannot be copied.
    """
    with (
        expecting(part.about, "copied it by its get_config()", "an object", RETURN_CONFIG),
        keras.saving.custom_object_scope(custom_objects(part.component.registry)),
    ):
        return module.deserialize(module.serialize(original))


def require_same_numbers(about: str, original: Nested, copied: Nested) -> None:
    """Fail the check if a copy gives other numbers than the original.

    Raises:
        CheckFailed: it does.
    """
    require(
        close(original, copied),
        about,
        "saved it, loaded it, and called it",
        short(copied),
        f"the result of the original, {short(original)}",
        RETURN_CONFIG,
    )


def gradient_of(function: Callable[[tf.Variable], Tensor], value: Array) -> Tensor | None:
    """Return the gradient of a function at a value; None if it does not depend on it."""
    variable = tf.Variable(value)
    with tf.GradientTape() as tape:
        result = function(variable)
    return tape.gradient(result, variable)
