"""Each model calls its layers in training mode once in each step, and never where it is evaluated or used."""

import functools

import keras
import numpy as np
import pytest

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.runs.checkpoints import load

BATCH, STEPS = 8, 5
X = np.random.default_rng(1).normal(size=(16, 6)).astype("float32")
KIND = np.arange(16) % 3
SIZE = X[:, :1]
NOISE = (
    keras.layers.BatchNormalization,
    functools.partial(keras.layers.Dropout, 0.5),
    functools.partial(keras.layers.GaussianNoise, 0.1),
)


@keras.saving.register_keras_serializable("tests")
class Calls(keras.layers.Layer):
    """Counts the calls in training mode."""

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", name="calls", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.calls.assign_add(1.0)
        return inputs


def graph(units, *layers, name="hidden"):
    """A graph with layers of these classes."""

    def graph_fn(mode, features):
        built = [layer(name=f"{name}_layer_{index}") for index, layer in enumerate(layers)]
        first, last = ({"Dense": {"units": n, "name": f"{name}_{n}"}} for n in (5, units))
        return plx.Graph([first, *built, last])(mode, features)

    return graph_fn


def heads(mode, *layers):
    def graph_fn(mode, features):
        hidden = graph(4, *layers)(mode, features)
        return {
            "kind": keras.layers.Dense(3, name="kind")(hidden),
            "size": keras.layers.Dense(1, name="size")(hidden),
        }

    models = {"kind": plx.models.Classifier(mode), "size": plx.models.Regressor(mode)}
    return plx.models.MultiHead(mode, graph_fn=graph_fn, heads=models)


def generator(mode, *layers, **params):
    return plx.models.Generator(
        mode,
        encoder_fn=graph(4, *layers, name="encoder"),
        decoder_fn=graph(6, *layers, name="decoder"),
        **params,
    )


MODELS = {
    "Classifier": (lambda mode, *layers: plx.models.Classifier(mode, graph_fn=graph(3, *layers)), KIND),
    "Regressor": (lambda mode, *layers: plx.models.Regressor(mode, graph_fn=graph(1, *layers)), SIZE),
    "MultiHead": (heads, {"kind": KIND, "size": SIZE}),
    "Generator": (generator, None),
    "Generator of codes that are drawn": (
        lambda mode, *layers: generator(mode, *layers, bridge={"LatentBridge": {"latent_dim": 2}}),
        None,
    ),
}  # fmt: skip


def make(path, name, *layers, **run):
    model, labels = MODELS[name]
    config = plx.RunConfig(
        **{"log_step_count_steps": None, "save_summary_steps": None, "seed": 2, **run}
    )

    def model_fn(features, labels, mode):
        return model(mode, *layers)(features, labels)

    def input_fn(**params):
        return numpy_input_fn({"x": X}, labels, BATCH, seed=1, **params)

    return plx.Estimator(model_fn, path, config, trackers=()), input_fn


def variables(estimator):
    return load(estimator.latest_checkpoint())["program"]["variables"]


@pytest.mark.parametrize("name", MODELS)
def test_once_in_each_step_and_never_in_use(tmp_path, name):
    estimator, input_fn = make(
        tmp_path,
        name,
        Calls,
        save_summary_steps=2,
        save_checkpoints_steps=2,
        log_step_count_steps=1,
    )
    estimator.train(input_fn(num_epochs=None, shuffle=True), max_steps=STEPS)
    evaluated = [
        estimator.evaluate(input_fn(num_epochs=1, shuffle=False))["loss"] for _ in range(2)
    ]
    if "drawn" not in name:
        assert evaluated[0] == evaluated[1]
    assert list(estimator.predict(input_fn(num_epochs=1, shuffle=False)))
    estimator.train(input_fn(num_epochs=None, shuffle=True), max_steps=STEPS + 1)
    counts = [value for key, value in variables(estimator).items() if key.endswith("calls")]
    assert counts == [STEPS + 1] * (2 if "Generator" in name else 1)


@pytest.mark.parametrize("name", MODELS)
def test_statistics_move_and_units_drop_in_training_alone(tmp_path, name):
    estimator, input_fn = make(tmp_path / "whole", name, *NOISE)
    data = input_fn(num_epochs=None, shuffle=True)
    trained = variables(estimator.train(data, max_steps=STEPS))
    whole = variables(estimator.train(data, max_steps=STEPS + 1))
    states = [key for key in trained if "moving" in key or "seed_generator" in key]
    assert states
    for key in states:
        assert (whole[key] != trained[key]).any(), key
    first, second = (
        list(estimator.predict(input_fn(num_epochs=1, shuffle=False))) for _ in range(2)
    )
    for row, again in zip(first, second, strict=True):
        for key, value in row.items():
            np.testing.assert_array_equal(value, again[key])
    for steps in (STEPS, STEPS + 1):
        parts, _ = make(tmp_path / "parts", name, *NOISE)
        parts.train(input_fn(num_epochs=None, shuffle=True), max_steps=steps)
    for key, value in whole.items():
        np.testing.assert_array_equal(variables(parts)[key], value, err_msg=key)
