"""The check of layers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import Layer
from plx_core.networks.load_model import load_model
from plx_core.testing.failures import CannotTry, CheckFailed, describe, expecting, require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import (
    AVOID_ZERO,
    RETURN_CONFIG,
    USE_OPS,
    check_traced,
    require_same_numbers,
)
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.values import close, plain, short
from plx_core.types import Array, Nested, Network

Shape: TypeAlias = Sequence[int] | Sequence[Sequence[int]]
"""The shape of one example, or those of several inputs."""

SHAPES: Sequence[Shape] = (
    (8,),
    (8, 8, 3),
    (6, 4),
    (6, 6, 6, 2),
    (2, 5, 5, 3),
    (2, 5, 3),
    [(6, 4), (6, 4)],
    [(8,), (8,)],
)
"""The shapes to try when a check is given none."""
BATCH = 4
OTHER_BATCH = 3
HALF_PRECISION_TOLERANCE = 0.05


def check_layer(
    layer: Layer,
    params: Params | None = None,
    *,
    input_shape: Shape | None = None,
    input_dtype: str = "float32",
    mixed_precision: bool = True,
) -> None:
    """Check a layer: shapes, batch sizes, tracing, gradients, saving, seeds and mixed precision.

    Args:
        layer: a class, a function, or a name.
        params: its parameters.
        input_shape: shape of one example, or a list of shapes for several inputs; by default, the
            check tries common ones.
        input_dtype: dtype of the inputs; integers range from 0 to 7.
        mixed_precision: whether the layer must work in `mixed_float16`.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("layers", layer, params)
    with own_settings():
        shape = _shape_for(part, input_dtype) if input_shape is None else input_shape
        network = _network(part, shape, input_dtype)
        inputs = _inputs(shape, input_dtype, BATCH)
        _check_gradients(part.about, network, inputs)
        outputs = _check_call(part.about, network, inputs, _inputs(shape, input_dtype, OTHER_BATCH))
        _check_shapes(part.about, network, outputs)
        _check_saving(part, network, inputs, outputs)
        _check_seed(part, shape, input_dtype)
        gives_floats = tf.nest.flatten(outputs)[0].dtype.kind == "f"
        if mixed_precision and input_dtype.startswith("float") and gives_floats:
            _check_mixed_precision(part, shape, input_dtype, outputs)


def _shape_for(part: Part, dtype: str) -> Shape:
    """Return the first of `SHAPES` that the layer accepts.

    If it accepts none but can be connected to one, return that one, so that the check reports what
    fails.
    """
    failures, connected = [], None
    for shape in SHAPES:
        try:
            network = _network(part, shape, dtype)
            connected = connected or shape
            for training in (True, False):
                outputs = network(_inputs(shape, dtype, BATCH), training=training)
            _check_shapes(part.about, network, outputs)
        except Exception as error:  # a layer may raise anything for a shape it does not accept
            reason = error.came if isinstance(error, CheckFailed) else describe(error)
            failures.append(f"{shape}: {reason}")
            continue
        return shape
    if connected is None:
        raise CannotTry(
            f"{part.about} accepts none of the shapes that the check tried; give input_shape. "
            f"{failures[0]}"
        )
    return connected


def _network(part: Part, shape: Shape, dtype: str) -> Network:
    keras.utils.set_random_seed(7)
    inputs = [keras.Input(each, dtype=dtype) for each in _shapes(shape)]
    layer = part.build(mode="train")
    with expecting(
        part.about,
        f"connected it to inputs of shape {shape} and dtype {dtype}",
        "symbolic outputs",
        "use keras.ops, which accepts symbolic tensors; or give the check a suitable input_shape",
    ):
        return keras.Model(inputs, layer(inputs if isinstance(shape, list) else inputs[0]))


def _shapes(shape: Shape) -> list[tuple[int, ...]]:
    """Return the shape of each input."""
    if shape and isinstance(shape[0], Sequence):
        return [tuple(each) for each in shape]  # type: ignore[arg-type]
    return [tuple(shape)]  # type: ignore[arg-type]


def _inputs(shape: Shape, dtype: str, count: int) -> list[Array]:
    rng = np.random.default_rng(3)
    if dtype.startswith("float"):
        return [rng.normal(size=(count, *each)).astype(dtype) for each in _shapes(shape)]
    return [rng.integers(0, 8, (count, *each)).astype(dtype) for each in _shapes(shape)]


def _check_call(
    about: str, network: Network, inputs: list[Array], fewer_inputs: list[Array]
) -> Nested:
    did = f"called it with {BATCH} examples"
    with expecting(about, did, "outputs", USE_OPS), no_global_randomness(about, did):
        outputs = plain(network(inputs, training=False))
    for output in tf.nest.flatten(outputs):
        require(
            output.dtype.kind != "f" or np.isfinite(output).all(),
            about,
            did,
            short(output),
            "finite numbers",
            AVOID_ZERO,
        )
    with expecting(
        about,
        f"called it with {OTHER_BATCH} examples after {BATCH}",
        "outputs",
        "read the batch size from keras.ops.shape(inputs)[0] in call(), and do not store it",
    ):
        network(fewer_inputs, training=False)
    check_traced(about, lambda *values: network(list(values), training=False), inputs, outputs)
    return outputs


def _check_shapes(about: str, network: Network, outputs: Nested) -> None:
    symbolic_outputs = tf.nest.flatten(network.outputs)
    for symbolic, output in zip(symbolic_outputs, tf.nest.flatten(outputs), strict=True):
        require(
            tf.TensorShape(symbolic.shape).is_compatible_with(output.shape),
            about,
            "compared its symbolic shape with that of its outputs",
            f"{tuple(symbolic.shape)} and {output.shape}",
            "the same except for the batch",
            "fix compute_output_shape, or remove it",
        )


def _check_gradients(about: str, network: Network, inputs: list[Array]) -> None:
    weights = network.trainable_variables
    dtypes = [output.dtype for output in tf.nest.flatten(network.outputs)]
    if not weights or not all(dtype.startswith("float") for dtype in dtypes):
        return
    with expecting(about, "took a gradient", "gradients", USE_OPS), tf.GradientTape() as tape:
        outputs = tf.nest.flatten(network(inputs, training=True))
        loss = sum(tf.reduce_sum(tf.cast(output, tf.float32) ** 2) for output in outputs)
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    missing = [
        weight.path for weight, gradient in zip(weights, gradients, strict=True) if gradient is None
    ]
    require(
        not missing,
        about,
        "took the gradient of its outputs with respect to its weights",
        f"none for {', '.join(missing)}",
        "one for each weight",
        f"use the weight in call(), where you {USE_OPS}, or add it with trainable=False",
    )


def _check_saving(part: Part, network: Network, inputs: list[Array], outputs: Nested) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.keras")
        with expecting(
            part.about,
            "saved it to a .keras file and loaded it",
            "the same network",
            RETURN_CONFIG,
        ):
            network.save(path)
            loaded = load_model(path, part.component.registry)
        require_same_numbers(part.about, outputs, loaded(inputs, training=False))


def _check_seed(part: Part, shape: Shape, dtype: str) -> None:
    inputs, results = _inputs(shape, dtype, BATCH), []
    for _ in range(2):
        network = _network(part, shape, dtype)
        with expecting(part.about, "called it with training=True", "outputs", USE_OPS):
            results.append(plain(network(inputs, training=True)))
    require(
        close(*results),
        part.about,
        "built it twice with one seed and called it with training=True",
        f"{short(results[0])} and {short(results[1])}",
        "the same numbers",
        "draw from keras.random with a keras.random.SeedGenerator(seed) created in __init__",
    )


def _check_mixed_precision(part: Part, shape: Shape, dtype: str, outputs: Nested) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    did = "called it in mixed_float16"
    remedy = "give constants the dtype of the inputs, as keras.ops does with Python numbers"
    try:
        network = _network(part, shape, dtype)
        with expecting(part.about, did, "outputs", remedy):
            results = plain(network(_inputs(shape, dtype, BATCH), training=False))
    except CheckFailed as failure:
        if isinstance(failure.__cause__, tf.errors.NotFoundError):
            return  # TensorFlow has no half-precision kernel for this device
        raise CheckFailed(part.about, did, failure.came, "outputs", remedy) from failure
    finally:
        keras.config.set_dtype_policy("float32")
    require(
        close(results, outputs, HALF_PRECISION_TOLERANCE),
        part.about,
        did,
        short(results),
        f"nearly the result in float32, {short(outputs)}",
        "compute intermediate sums and exponentials in float32: float16 ends at 65504",
    )
