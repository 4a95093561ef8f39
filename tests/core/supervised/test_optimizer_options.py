"""Every option of an optimizer: exact resume at any step, and the numbers of Keras's fit on the same batches."""

import keras
import numpy as np
import pytest
from attrs import evolve
from tests.core.small_estimators import classify, feed, fingerprint, make_estimator

from plx_core.errors import ComponentError
from plx_core.runs.checkpoints import load

PLAIN = {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 2}}]}
STEPS = 3
"""Half of a run: an odd number, so that a run is resumed between two updates of accumulated gradients."""

DECAY = keras.optimizers.schedules.CosineDecay(0.05, 2 * STEPS)
OPTIONS = {
    "averages": {"use_ema": True, "ema_momentum": 0.8},
    "averages that overwrite": {
        "use_ema": True,
        "ema_momentum": 0.8,
        "ema_overwrite_frequency": 4,
        "global_clipnorm": 0.1,
    },
    "accumulated gradients": {"gradient_accumulation_steps": 2, "learning_rate": DECAY},
    "accumulated gradients and averages": {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_momentum": 0.8,
        "clipnorm": 0.1,
    },
    "decay of weights and a loss scale": {
        "weight_decay": 0.1,
        "clipvalue": 0.01,
        "loss_scale_factor": 1024.0,
    },
    "mixed_float16": {"use_ema": True, "ema_momentum": 0.8},
    "mixed_bfloat16": {"learning_rate": DECAY},
}


@pytest.fixture(autouse=True)
def float32():
    yield
    keras.config.set_dtype_policy("float32")


def fitted(data, policy, params):
    """A network that Keras's fit has trained for 2 · STEPS batches, and its loss on all data."""
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(5)
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    network = keras.Model({"x": inputs}, keras.layers.Dense(2)(hidden))
    network.compile(
        keras.optimizers.Adam(**params),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    batches = feed(data)().dataset()
    network.fit(batches, steps_per_epoch=2 * STEPS, shuffle=False, verbose=0)
    loss = network.evaluate(batches, steps=len(data[0]) // 16, verbose=0)
    return network, loss


@pytest.mark.parametrize("name", OPTIONS)
def test_a_resumed_run_is_the_uninterrupted_one_and_that_is_kerass_fit(tmp_path, blobs, name):
    policy = name if name.startswith("mixed") else "float32"
    params = {"learning_rate": 0.05, **OPTIONS[name]}
    rate = params["learning_rate"]

    def estimator(folder):
        model_fn = classify(PLAIN, optimizer={"Adam": params})
        made = make_estimator(tmp_path / folder, model_fn)
        made.config = evolve(made.config, mixed_precision=policy)
        return made

    whole, half = estimator("whole"), estimator("parts")
    whole.train(feed(blobs), max_steps=2 * STEPS)
    half.train(feed(blobs), max_steps=STEPS)
    assert fingerprint(half)[:2] == (STEPS, STEPS)
    parts = estimator("parts").train(feed(blobs), max_steps=2 * STEPS)
    assert fingerprint(parts) == fingerprint(whole)
    assert fingerprint(whole)[:2] == (2 * STEPS, 2 * STEPS)
    expected_rate = rate if isinstance(rate, float) else float(rate(2 * STEPS))
    assert whole.learning_rate == pytest.approx(expected_rate)

    network, loss = fitted(blobs, policy, params)
    tolerance = {"float32": 1e-5}.get(policy, 2e-2)
    values = [whole.get_variable_value(variable) for variable in whole.get_variable_names()]
    for value, variable in zip(values, network.variables, strict=True):
        np.testing.assert_allclose(value, variable.numpy(), rtol=tolerance, atol=tolerance / 10)
    result = whole.evaluate(feed(blobs, num_epochs=1))
    assert result["loss"] == pytest.approx(loss, rel=tolerance)
    trained = load(whole.latest_checkpoint())["program"]["variables"]["dense/kernel"]
    assert np.array_equal(trained, values[0]) is ("use_ema" not in params)


def test_averages_are_what_is_predicted_exported_and_loaded_into_another_run(tmp_path, blobs):
    optimizer = {"Adam": {"learning_rate": 0.05, "use_ema": True}}
    source = make_estimator(tmp_path / "source", classify(PLAIN, optimizer=optimizer))
    source.train(feed(blobs), max_steps=4)
    held_out = feed(blobs, num_epochs=1, shuffle=False)
    program = load(source.latest_checkpoint())["program"]
    kernel, bias, kernel_1, bias_1 = program["averages"].values()
    hidden = np.maximum(blobs[0] @ kernel + bias, 0)
    expected = hidden @ kernel_1 + bias_1
    logits = np.stack([row["logits"] for row in source.predict(held_out)])
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    source.export(tmp_path / "export", held_out, format="keras")
    exported = keras.models.load_model(tmp_path / "export" / "model.keras", compile=False)
    np.testing.assert_array_equal(exported.weights[0].numpy(), kernel)

    from plx_core.config.sections import WarmStartConfig

    for averages, group in ((True, "averages"), (False, "variables")):
        other = make_estimator(tmp_path / group, classify(PLAIN, optimizer=optimizer))
        other.warm_start = WarmStartConfig(path=str(tmp_path / "source"), averages=averages)
        other.train(lambda: feed(blobs)().dataset().take(0))
        begin = load(other.latest_checkpoint())["program"]
        for name, value in program[group].items():
            np.testing.assert_array_equal(begin["variables"][name], value)
            np.testing.assert_array_equal(begin["averages"][name], value)


def test_the_norm_of_gradients_is_that_of_the_loss_and_not_of_the_scaled_loss(tmp_path, blobs):
    kernels = []
    for scale in (None, 4096.0):
        optimizer = {"SGD": {"learning_rate": 0.1, "loss_scale_factor": scale}}
        model_fn = classify(PLAIN, optimizer=optimizer, clip_gradients=0.5)
        estimator = make_estimator(tmp_path / str(scale), model_fn).train(feed(blobs), max_steps=2)
        kernels.append(estimator.get_variable_value("dense/kernel"))
    np.testing.assert_allclose(*kernels, rtol=1e-6)


def test_a_step_that_a_loss_scale_skips_is_a_step_of_the_data(tmp_path, blobs):
    def model_fn(features, labels, mode):
        spec = classify(PLAIN)(features, labels, mode)
        if mode != "train":
            return spec
        scaled = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1), initial_scale=float(2.0**127)
        )
        return evolve(spec, optimizer=scaled)  # the gradients are infinite at first

    estimator = make_estimator(tmp_path, model_fn).train(feed(blobs), max_steps=2)
    assert fingerprint(estimator)[:2] == (2, 2)
    state = load(estimator.latest_checkpoint())["program"]["optimizer"]
    assert int(state["step"]) == 2
    assert min(int(value) for value in state.values() if value.dtype == "int64") == 0


def test_nothing_to_train_is_refused(tmp_path, blobs):
    graph = {"layers": [{"Dense": {"units": 2, "trainable": False}}]}
    with pytest.raises(ComponentError, match="the network has no trainable weights"):
        make_estimator(tmp_path, classify(graph)).train(feed(blobs), steps=1)
