"""Checks of what Keras calls: layers, losses, metrics, optimizers and learning-rate schedules."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from plx_core.networks.load_model import custom_objects, load_model
from plx_core.testing.failures import CannotTry, CheckFailed, describe, expecting, require
from plx_core.testing.making import (
    Part,
    close,
    no_global_randomness,
    own_settings,
    part_of,
    plain,
    short,
)

SHAPES: tuple[Any, ...] = (
    (8,),
    (8, 8, 3),
    (6, 4),
    (6, 6, 6, 2),
    (2, 5, 5, 3),
    (2, 5, 3),
    [(6, 4), (6, 4)],
    [(8,), (8,)],
)
"""What a layer is tried with where its check is given no shape."""
BATCH, OTHER_BATCH = 4, 3
STEPS = (0, 1, 10, 1_000, 1_000_000)
AS_CONFIG = "keep each constructor argument under its own name, and let get_config() return those and no others"


def check_layer(
    layer: Any,
    params: Mapping[str, Any] | None = None,
    *,
    input_shape: Sequence[Any] | None = None,
    input_dtype: str = "float32",
    mixed_precision: bool = True,
) -> None:
    """Check a layer: shapes, any batch size, a graph of TensorFlow, gradients, saving, seeds and mixed precision.

    Args:
        layer: a class, a function, or a name.
        params: its parameters.
        input_shape: of one example; a list of shapes where it takes several inputs. A few usual ones are tried when left out.
        input_dtype: of the inputs; integers are drawn from 0 to 7.
        mixed_precision: whether it has to work in `mixed_float16`.

    Raises:
        CheckFailed: at the first thing that is wrong.
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
        if (
            mixed_precision
            and input_dtype.startswith("float")
            and tf.nest.flatten(outputs)[0].dtype.kind == "f"
        ):
            _check_mixed_precision(part, shape, input_dtype, outputs)


def check_loss(
    loss: Any, params: Mapping[str, Any] | None = None, *, labels: Any = None, outputs: Any = None
) -> None:
    """Check a loss: one finite number, in a graph of TensorFlow too, with gradients, from half precision, and saved.

    Args:
        loss: a class, a function that makes one, or a name.
        params: its parameters.
        labels: of a batch; a few usual kinds are tried when left out.
        outputs: of a network, for the same batch; give both or neither.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("losses", loss, params)
    with own_settings():
        made = part.build()
        labels, outputs = _batch_for(part.about, made, labels, outputs)
        did = f"called it with labels {labels.shape} {labels.dtype} and outputs {outputs.shape}"
        with no_global_randomness(part.about, did):
            value = np.asarray(made(labels, outputs))
        require(
            value.shape == (),
            part.about,
            did,
            f"shape {value.shape}",
            "one number",
            "return one number an example from call(), and let keras.losses.Loss average them",
        )
        require(
            np.isfinite(value),
            part.about,
            did,
            value,
            "a finite number",
            "keep logarithms and divisions away from 0",
        )
        _check_traced(part.about, lambda left, right: made(left, right), (labels, outputs), value)
        with tf.GradientTape() as tape:
            variable = tf.Variable(outputs)
            result = made(labels, variable)
        gradient = tape.gradient(result, variable)
        require(
            gradient is not None and np.isfinite(np.asarray(gradient)).all(),
            part.about,
            "took its gradient by the outputs",
            "none" if gradient is None else short(gradient),
            "finite gradients",
            "compute with keras.ops alone: NumPy and .numpy() cut the gradient off",
        )
        with expecting(
            part.about,
            "gave it outputs in float16, as mixed precision does",
            "a number",
            "cast outputs to float32 first",
        ):
            half = np.asarray(made(labels, tf.cast(outputs, "float16")))
        require(
            np.isfinite(half),
            part.about,
            "gave it outputs in float16, as mixed precision does",
            half,
            "a finite number",
            "cast outputs to float32 before what may overflow",
        )
        copy = copied(part, keras.losses, made)
        require_same_numbers(part.about, value, copy(labels, outputs))


def check_metric(
    metric: Any,
    params: Mapping[str, Any] | None = None,
    *,
    labels: Any = None,
    outputs: Any = None,
    over_examples: bool = True,
) -> None:
    """Check a metric: a result, `reset_state`, a graph of TensorFlow, saved, and as good over two batches as over one.

    Args:
        metric: a class, a function that makes one, or a name.
        params: its parameters.
        labels: of a batch of an even number of examples; a few usual kinds are tried when left out.
        outputs: of a network, for the same batch; give both or neither.
        over_examples: whether two halves of a batch, one after the other, have to give what the whole does.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("metrics", metric, params)
    with own_settings():
        labels, outputs = _batch_for(
            part.about, lambda left, right: part.build().update_state(left, right), labels, outputs
        )
        made = part.build()
        did = f"updated it with labels {labels.shape} {labels.dtype} and outputs {outputs.shape}"
        with no_global_randomness(part.about, did):
            made.update_state(labels, outputs)
        value = plain(made.result())
        require(
            np.asarray(value).ndim <= 1,
            part.about,
            did,
            f"a result of shape {np.shape(value)}",
            "a number, or one a class",
            "reduce in result()",
        )
        made.reset_state()
        made.update_state(labels, outputs)
        require(
            close(value, made.result()),
            part.about,
            "called reset_state() and updated it with the same batch",
            f"the result is {short(made.result())}",
            f"what it was before, {short(value)}",
            "make variables with add_variable, or set them back in reset_state()",
        )
        traced = tf.function(made.update_state, autograph=False)
        _check_traced(part.about, lambda left, right: traced(left, right), (labels, outputs), None)
        _check_counted_once(part.about, made, value, labels, outputs, over_examples)
        copy = copied(part, keras.metrics, made)
        copy.update_state(labels, outputs)
        require_same_numbers(part.about, value, copy.result())


def check_optimizer(optimizer: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check an optimizer: it brings a simple loss down in a graph of TensorFlow, goes on exactly from its variables, and can be saved.

    Args:
        optimizer: a class, a function that makes one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("optimizers", optimizer, params)
    with own_settings():
        made, weight = part.build(), keras.Variable(np.array([1.0, -2.0], "float32"))
        require(
            hasattr(made, "apply") and hasattr(made, "learning_rate"),
            part.about,
            "made it",
            f"a {type(made).__name__}",
            "a Keras optimizer",
            "derive it from keras.optimizers.Optimizer",
        )
        made.build([weight])
        step = _step_of(made, weight)
        with expecting(
            part.about,
            "took steps on w² from w = (1, −2)",
            "steps",
            "write update_step with keras.ops alone",
        ):
            losses = [float(step()) for _ in range(12)]
        require(
            np.isfinite(losses).all() and losses[-1] < losses[0],
            part.about,
            "took 12 steps on w² from w = (1, −2)",
            f"the loss went from {losses[0]:.6g} to {losses[-1]:.6g}",
            "a lower loss",
            "subtract the update from the weight, and look at the sign of the gradient",
        )
        _check_optimizer_state(part, made, weight, step)
        copy = copied(part, keras.optimizers, part.build())
        other = keras.Variable(np.array([1.0, -2.0], "float32"))
        copy.build([other])
        again = _step_of(copy, other)
        require_same_numbers(part.about, losses, [float(again()) for _ in range(12)])


def check_schedule(schedule: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a learning-rate schedule: finite and not negative at any step, the same in a graph of TensorFlow, and when saved.

    Args:
        schedule: a class, a function that makes one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("schedules", schedule, params)
    with own_settings():
        made = part.build()
        did = f"called it with the steps {', '.join(map(str, STEPS))}"
        with (
            expecting(
                part.about,
                did,
                "a rate each time",
                "write __call__(self, step) with keras.ops alone",
            ),
            no_global_randomness(part.about, did),
        ):
            rates = [float(made(step)) for step in STEPS]
        require(
            np.isfinite(rates).all() and min(rates) >= 0,
            part.about,
            did,
            rates,
            "finite rates, none below 0",
            "hold the step between the bounds between which the formula is valid",
        )
        traced = tf.function(lambda step: made(step), autograph=False)
        did = "called it in a tf.function with an int64 step"
        with expecting(
            part.about,
            did,
            "the same rates",
            'cast the step to "float32", and choose with keras.ops.where, not with if',
        ):
            symbolic = [float(traced(tf.constant(step, tf.int64))) for step in STEPS]
        require(
            close(rates, symbolic),
            part.about,
            did,
            symbolic,
            f"the same rates, {rates}",
            "choose with keras.ops.where: an if is decided once, when the graph is made",
        )
        copy = copied(part, keras.optimizers.schedules, made)
        require_same_numbers(part.about, rates, [float(copy(step)) for step in STEPS])


def _shape_for(part: Part, dtype: str) -> Any:
    """The first of some usual shapes that the layer takes."""
    tried, connected = [], None
    for shape in SHAPES:
        try:
            network = _network(part, shape, dtype)
            connected = connected or shape
            for training in (True, False):
                outputs = network(_inputs(shape, dtype, BATCH), training=training)
            _check_shapes(part.about, network, outputs)
        except Exception as error:  # which shape it takes is what is being found out
            tried.append(
                f"{shape}: {error.came if isinstance(error, CheckFailed) else describe(error)}"
            )
            continue
        return shape
    if connected is not None:  # it is for the check to say what goes wrong with this one
        return connected
    raise CannotTry(
        f"{part.about} takes none of the shapes that were tried; give input_shape. {tried[0]}"
    )


def _network(part: Part, shape: Any, dtype: str) -> keras.Model:
    keras.utils.set_random_seed(7)
    inputs = [keras.Input(each, dtype=dtype) for each in _shapes(shape)]
    layer = part.build(mode="train")
    with expecting(
        part.about,
        f"connected it to inputs of shape {shape} and dtype {dtype}",
        "symbolic outputs",
        "compute with keras.ops, which takes symbolic tensors; or give the check the input_shape that fits",
    ):
        return keras.Model(inputs, layer(inputs if isinstance(shape, list) else inputs[0]))


def _shapes(shape: Any) -> list[tuple[int, ...]]:
    return (
        [tuple(each) for each in shape]
        if shape and isinstance(shape[0], Sequence)
        else [tuple(shape)]
    )


def _inputs(shape: Any, dtype: str, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    whole = not dtype.startswith("float")
    return [
        rng.integers(0, 8, (count, *each)).astype(dtype)
        if whole
        else rng.normal(size=(count, *each)).astype(dtype)
        for each in _shapes(shape)
    ]


def _check_call(about: str, network: keras.Model, inputs: Any, fewer: Any) -> Any:
    did = f"called it with {BATCH} examples"
    with (
        expecting(about, did, "outputs", "compute with keras.ops alone"),
        no_global_randomness(about, did),
    ):
        outputs = plain(network(inputs, training=False))
    for part in tf.nest.flatten(outputs):
        require(
            part.dtype.kind != "f" or np.isfinite(part).all(),
            about,
            did,
            short(part),
            "finite numbers",
            "keep logarithms, roots and divisions away from 0",
        )
    did = f"called it with {OTHER_BATCH} examples after {BATCH}"
    with expecting(
        about,
        did,
        "outputs",
        "take the batch size from keras.ops.shape(inputs)[0] in call(); keep none in the layer",
    ):
        network(fewer, training=False)
    _check_traced(about, lambda *given: network(list(given), training=False), inputs, outputs)
    return outputs


def _check_traced(
    about: str, function: Callable[..., Any], inputs: Sequence[Any], expected: Any
) -> None:
    """Fail where a graph of TensorFlow gives other numbers, or is made anew at a second call."""
    program, tensors = (
        tf.function(function, autograph=False),
        [tf.constant(each) for each in inputs],
    )
    did = "called it in a tf.function"
    with expecting(
        about,
        did,
        "the same numbers",
        "compute with keras.ops alone: no .numpy(), no float() of a tensor, no if on its values",
    ):
        found = program(*tensors)
        program(*[tf.reverse(each, [0]) for each in tensors])
    require(
        expected is None or close(found, expected),
        about,
        did,
        short(found),
        f"what a plain call gave, {short(expected)}",
        "keep Python numbers that change out of call(): a graph holds them as they were when it was made",
    )
    count = program.experimental_get_tracing_count()
    require(
        count == 1,
        about,
        "called it in a tf.function twice with tensors of one shape",
        f"the graph was made {count} times",
        "once",
        "make no new variables or Python values in call()",
    )


def _check_shapes(about: str, network: keras.Model, outputs: Any) -> None:
    for symbolic, found in zip(
        tf.nest.flatten(network.outputs), tf.nest.flatten(outputs), strict=True
    ):
        fits = tf.TensorShape(symbolic.shape).is_compatible_with(found.shape)
        require(
            fits,
            about,
            "compared its shape in a graph with that of its outputs",
            f"{tuple(symbolic.shape)} and {found.shape}",
            "the same but for the batch",
            "mend compute_output_shape, or leave it out",
        )


def _check_gradients(about: str, network: keras.Model, inputs: Any) -> None:
    weights = network.trainable_variables
    if not weights or any(
        not part.dtype.startswith("float") for part in tf.nest.flatten(network.outputs)
    ):
        return
    with (
        expecting(about, "took a gradient", "gradients", "compute with keras.ops alone"),
        tf.GradientTape() as tape,
    ):
        found = network(inputs, training=True)
        loss = sum(tf.reduce_sum(tf.cast(part, tf.float32) ** 2) for part in tf.nest.flatten(found))
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    without = [
        weight.path for weight, gradient in zip(weights, gradients, strict=True) if gradient is None
    ]
    require(
        not without,
        about,
        "took the gradient of its outputs by its weights",
        f"none for {', '.join(without)}",
        "one for each",
        "use the weight in call(), through keras.ops alone, or add it with trainable=False",
    )


def _check_saving(part: Part, network: keras.Model, inputs: Any, outputs: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.keras")
        with expecting(
            part.about,
            "saved it in a .keras file and read that again",
            "the same network",
            AS_CONFIG,
        ):
            network.save(path)
            copy = load_model(path, part.component.registry)
        require_same_numbers(part.about, outputs, copy(inputs, training=False))


def _check_seed(part: Part, shape: Any, dtype: str) -> None:
    inputs, found = _inputs(shape, dtype, BATCH), []
    for _ in range(2):
        network = _network(part, shape, dtype)
        with expecting(
            part.about, "called it with training=True", "outputs", "compute with keras.ops alone"
        ):
            found.append(plain(network(inputs, training=True)))
    require(
        close(*found),
        part.about,
        "made it twice with one seed and called it with training=True",
        f"{short(found[0])} and {short(found[1])}",
        "the same numbers",
        "draw from keras.random with a keras.random.SeedGenerator(seed) that __init__ makes",
    )


def _check_mixed_precision(part: Part, shape: Any, dtype: str, outputs: Any) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    did, remedy = (
        "called it in mixed_float16",
        "make constants of the inputs' dtype, as keras.ops does with Python numbers",
    )
    try:
        network = _network(part, shape, dtype)
        with expecting(part.about, did, "outputs", remedy):
            found = plain(network(_inputs(shape, dtype, BATCH), training=False))
    except CheckFailed as failed:
        if isinstance(
            failed.__cause__, tf.errors.NotFoundError
        ):  # TensorFlow has no kernel for this machine: no fault of the layer
            return
        raise CheckFailed(part.about, did, failed.came, "outputs", remedy) from failed
    finally:
        keras.config.set_dtype_policy("float32")
    require(
        close(found, outputs, 0.05),
        part.about,
        did,
        short(found),
        f"about what float32 gives, {short(outputs)}",
        "make intermediate sums and exponentials in float32: float16 ends at 65504",
    )


def _batch_for(
    about: str, call: Callable[[Any, Any], Any], labels: Any, outputs: Any
) -> tuple[Any, Any]:
    """The batch that was given, or the first of some usual kinds that is taken."""
    if (labels is None) is not (outputs is None):
        raise TypeError("give labels and outputs, or neither")
    if labels is not None:
        labels, outputs = np.asarray(labels), np.asarray(outputs)
        with expecting(
            about,
            f"called it with labels {labels.shape} and outputs {outputs.shape}",
            "a result",
            "mend call(y_true, y_pred)",
        ):
            call(labels, outputs)
        return labels, outputs
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.ones(3), BATCH).astype("float32")
    indices = np.array([0, 2, 1, 2])
    numbers = rng.random(BATCH).astype("float32")
    kinds = [
        (np.eye(3, dtype="float32")[indices], probabilities),
        (indices, probabilities),
        (indices % 2, numbers),
    ]
    failures, not_finite = [], None
    for labels, outputs in [*kinds, (indices % 2, indices[::-1] % 2)]:
        try:
            if np.isfinite(
                np.sum(
                    [
                        np.sum(part)
                        for part in tf.nest.flatten(call(labels, outputs))
                        if part is not None
                    ]
                )
            ):
                return labels, outputs
            not_finite = not_finite or (labels, outputs)
        except Exception as error:  # which kinds it takes is what is being found out
            failures.append(describe(error))
    if not_finite is not None:  # it is for the check to say so
        return not_finite
    raise CannotTry(
        f"{about} takes none of the batches that were tried; give labels and outputs. {failures[0]}"
    )


def _check_counted_once(
    about: str, metric: Any, value: Any, labels: Any, outputs: Any, over_examples: bool
) -> None:
    if not over_examples:
        return
    half = len(labels) // 2
    metric.reset_state()
    for rows in (slice(half), slice(half, None)):
        metric.update_state(labels[rows], outputs[rows])
    found = plain(metric.result())
    require(
        close(found, value),
        about,
        "updated it with two halves of a batch in turn",
        f"the result is {short(found)}",
        f"what the whole gives, {short(value)}",
        "keep sums and counts over examples, and divide in result(); or say over_examples=False if it means something else",
    )


def _step_of(optimizer: Any, weight: keras.Variable) -> Callable[[], Any]:
    @tf.function(autograph=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(weight.value))
            scaled = optimizer.scale_loss(loss)
        optimizer.apply([tape.gradient(scaled, weight.value)], [weight])
        return loss

    return step  # type: ignore[no-any-return]


def _check_optimizer_state(
    part: Part, optimizer: Any, weight: keras.Variable, step: Callable[[], Any]
) -> None:
    """Fail where an optimizer keeps something besides its variables."""
    other = keras.Variable(np.asarray(weight))
    copy = part.build()
    copy.build([other])
    require(
        len(copy.variables) == len(optimizer.variables),
        part.about,
        "made another",
        f"{len(copy.variables)} variables",
        f"as many as the first, {len(optimizer.variables)}",
        "make all variables in build()",
    )
    for mine, theirs in zip(copy.variables, optimizer.variables, strict=True):
        mine.assign(theirs)
    again = _step_of(copy, other)
    found, expected = [float(again()) for _ in range(3)], [float(step()) for _ in range(3)]
    require(
        close(found, expected),
        part.about,
        "gave another one its variables and took three more steps",
        found,
        f"{expected}",
        "keep what changes in variables, made in build() with add_variable_from_reference or add_variable",
    )


def copied(part: Part, module: Any, made: Any) -> Any:
    """A copy of a part, as Keras makes one of what it has saved; `module` is Keras's of the part's kind."""
    did = "made a copy of it from its get_config()"
    with (
        expecting(part.about, did, "an object", AS_CONFIG),
        keras.saving.custom_object_scope(custom_objects(part.component.registry)),
    ):
        return module.deserialize(module.serialize(made))


def require_same_numbers(about: str, value: Any, found: Any) -> None:
    """Fail where a copy gives other numbers."""
    require(
        close(value, found),
        about,
        "saved it, read it again, and called it",
        short(found),
        f"what it gave before, {short(value)}",
        AS_CONFIG,
    )
