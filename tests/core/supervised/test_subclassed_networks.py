"""A network that is an instance of the user's own subclass of keras.Model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from attrs import evolve
from tests.core.small_estimators import feed, make_estimator

import plx_core as plx
from plx_core.networks.variable_names import variables_by_name


class Scale(keras.layers.Layer):
    """A layer with two variables that it gives no names."""

    def build(self, shape):
        self.factor = self.add_weight(shape=shape[-1:], initializer="ones")
        self.offset = self.add_weight(shape=shape[-1:], initializer="zeros")

    def call(self, inputs):
        return inputs * self.factor + self.offset


class Small(keras.Model):
    """Scales, and classifies."""

    def __init__(self):
        super().__init__()
        self.scale = Scale()
        self.hidden = keras.layers.Dense(4)
        self.scores = keras.layers.Dense(2)

    def call(self, features):
        return self.scores(self.hidden(self.scale(features["x"])))


def loss_fn(features, labels, outputs):
    return tf.reduce_mean(
        keras.losses.sparse_categorical_crossentropy(labels, outputs, from_logits=True)
    )


def model_fn_of(build):
    def model_fn(features, labels, mode):
        optimizer = keras.optimizers.SGD(0.1) if mode == "train" else None
        return plx.EstimatorSpec(
            mode=mode, network=build(features), loss_fn=loss_fn, optimizer=optimizer
        )

    return model_fn


def called(features):
    network = Small()
    network(features)
    return network


def functional(features):
    return keras.Model(features, Small()(features))


@pytest.mark.parametrize("build", [lambda features: Small(), called, functional])
def test_it_is_trained_evaluated_used_and_exported_in_one_process(tmp_path, blobs, build):
    estimator = make_estimator(tmp_path / "run", model_fn_of(build)).train(feed(blobs), max_steps=9)
    assert estimator.get_variable_names() == [
        "small/scale/variable",
        "small/scale/variable_1",
        "small/dense/kernel",
        "small/dense/bias",
        "small/dense_1/kernel",
        "small/dense_1/bias",
    ]
    held_out = feed(blobs, num_epochs=1, shuffle=False)
    logits = np.stack([row["results"] for row in estimator.predict(held_out)])
    factor, offset, kernel, bias, kernel_1, bias_1 = map(
        estimator.get_variable_value, estimator.get_variable_names()
    )
    expected = ((blobs[0] * factor + offset) @ kernel + bias) @ kernel_1 + bias_1
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(factor, np.ones(4))
    assert estimator.evaluate(held_out)["loss"] == pytest.approx(
        float(loss_fn(None, blobs[1], expected)), rel=1e-4
    )
    estimator.export(tmp_path / "export", held_out)
    export = tf.saved_model.load(str(tmp_path / "export"))
    np.testing.assert_allclose(
        export.serve({"x": blobs[0]})["results"], logits, rtol=1e-5, atol=1e-6
    )


def test_unnamed_variables_have_the_same_names_whatever_the_process_has_built():
    def names():
        inputs = keras.Input((3,), name="x")
        first, second = Scale(), Scale()
        return list(variables_by_name(keras.Model(inputs, second(first(inputs)))))

    expected = [
        "scale/variable",
        "scale/variable_1",
        "scale_1/variable",
        "scale_1/variable_1",
    ]
    assert names() == expected
    assert names() == expected


@pytest.mark.parametrize(
    ("method", "instead"),
    [
        ("train_step", "loss_fn and optimizer instead of train_step"),
        ("test_step", "loss_fn and update_metrics instead of test_step"),
        ("predict_step", "predict_fn instead of predict_step"),
        ("compute_loss", "loss_fn instead of compute_loss"),
        ("compute_metrics", "update_metrics instead of compute_metrics"),
    ],
)
def test_a_method_that_would_be_ignored_is_refused(tmp_path, blobs, method, instead):
    custom = type("Custom", (Small,), {method: lambda self, *args, **kwargs: {}})
    estimator = make_estimator(tmp_path, model_fn_of(lambda features: custom()))
    with pytest.raises(plx.errors.ComponentError) as refusal:
        estimator.train(feed(blobs), steps=1)
    assert f"a Custom, defines {method}, which plx does not call" in str(refusal.value)
    assert instead in str(refusal.value)


def test_activations_of_a_network_without_layer_outputs_are_refused(tmp_path, blobs):
    def model_fn(features, labels, mode):
        spec = model_fn_of(lambda features: Small())(features, labels, mode)
        return evolve(spec, summaries=frozenset({"activations"}))

    estimator = make_estimator(tmp_path, model_fn, save_summary_steps=2)
    with pytest.raises(plx.errors.ComponentError, match="the summary activations .* is a Small"):
        estimator.train(feed(blobs), max_steps=2)


@pytest.mark.filterwarnings("ignore:[^$]*looks like it has unbuilt state")
def test_a_network_that_cannot_take_the_features_is_refused_with_the_reason(tmp_path, blobs):
    class Wrong(Small):
        def call(self, features):
            return super().call({"x": features["y"]})

    estimator = make_estimator(tmp_path, model_fn_of(lambda features: Wrong()))
    with pytest.raises(plx.errors.ComponentError, match="a Wrong, cannot be called with x: .*y"):
        estimator.train(feed(blobs), steps=1)
