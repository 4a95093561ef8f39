"""Losses against numbers worked out by hand: Keras's, those of 2017, and both with weights."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.components.component import Component, default_registry, make
from plx_core.config.load import load_tree
from plx_core.config.yaml_tree import to_python
from plx_core.errors import ConfigError

KERAS = ["MeanSquaredError", "Huber", "Hinge", "Poisson", "KLDivergence"]
OF_2017 = [
    "AbsoluteDifference", "LogLoss", "HuberLoss", "ClippedDeltaLoss", "SoftmaxCrossEntropy", "SigmoidCrossEntropy", "HingeLoss",
    "CosineDistance", "PoissonLoss", "KullbackLeiblerDivergence",
]  # fmt: skip
L2, L3 = math.log(2), math.log(3)

GOLDEN = [
    ("AbsoluteDifference", {}, [[1, 2], [0, 0]], [[2, 0], [0, 4]], (1 + 2 + 0 + 4) / 4),
    (
        "AbsoluteDifference",
        {"reduction": "sum"},
        [[1, 2], [0, 0]],
        [[2, 0], [0, 4]],
        (1 + 2) / 2 + (0 + 4) / 2,
    ),
    (
        "LogLoss",
        {},
        [[1, 0], [0, 1]],
        [[0.5, 0.25], [0.75, 0.5]],
        -(math.log(0.5) + math.log(0.75) + math.log(0.25) + math.log(0.5)) / 4,
    ),
    ("LogLoss", {"epsilon": 0.5}, [[1]], [[0.5]], 0.0),
    ("MeanSquaredError", {}, [[1, 2], [0, 0]], [[2, 0], [0, 4]], (1 + 4 + 0 + 16) / 4),
    ("Huber", {}, [[0, 0, 0]], [[0.5, -1, 3]], (0.125 + 0.5 + 2.5) / 3),
    ("HuberLoss", {}, [[0, 0, 0]], [[0.5, -1, 3]], (0.125 + 0.5 + 2.5) / 3),
    ("Huber", {"delta": 2.0}, [[0, 0, 0]], [[0.5, -1, 3]], (0.125 + 0.5 + 4) / 3),
    ("HuberLoss", {"delta": 2.0}, [[0, 0, 0]], [[0.5, -1, 3]], (0.125 + 0.5 + 4) / 3),
    ("ClippedDeltaLoss", {}, [[0, 0, 0]], [[0.5, -3, 3]], (0.25 + 1 + 1) / 3),
    (
        "ClippedDeltaLoss",
        {"clip_value_min": -2.0, "clip_value_max": 3.0},
        [[0, 0, 0]],
        [[0.5, -3, 3]],
        (0.25 + 4 + 9) / 3,
    ),
    ("SoftmaxCrossEntropy", {}, [[0, 1, 0]], [[0, L2, 0]], L2),
    ("SoftmaxCrossEntropy", {}, [[0.5, 0.5, 0]], [[0, L2, 0]], 0.5 * math.log(4) + 0.5 * L2),
    ("SigmoidCrossEntropy", {}, [[1, 0]], [[L3, L3]], (-math.log(0.75) - math.log(0.25)) / 2),
    ("Hinge", {}, [[1, 0, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("HingeLoss", {}, [[1, 0, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("Hinge", {}, [[1, -1, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("HingeLoss", {}, [[1, -1, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("CosineDistance", {}, [[1, 0], [0, 1]], [[0.6, 0.8], [0, 1]], (0.4 + 0) / 2),
    ("CosineDistance", {}, [[3, 0]], [[1, 1]], 1 - math.sqrt(0.5)),
    ("CosineDistance", {"dim": 1}, [[[1], [0]]], [[[0.6], [0.8]]], 0.4),
    ("Poisson", {}, [[2, 0]], [[3, 1]], ((3 - 2 * L3) + 1) / 2),
    ("PoissonLoss", {}, [[2, 0]], [[3, 1]], ((3 - 2 * L3) + 1) / 2),
    (
        "KLDivergence",
        {},
        [[0.5, 0.5], [1, 0]],
        [[0.25, 0.75], [0.5, 0.5]],
        (0.5 * L2 + 0.5 * math.log(2 / 3) + L2) / 2,
    ),
    (
        "KullbackLeiblerDivergence",
        {},
        [[0.5, 0.5], [1, 0]],
        [[0.25, 0.75], [0.5, 0.5]],
        (0.5 * L2 + 0.5 * math.log(2 / 3) + L2) / 2,
    ),
]


def array(values):
    return np.array(values, "float32")


def weighted(name, params, **weights):
    """The loss with weights, which 2017's take themselves."""
    if name in OF_2017:
        return {name: {**params, **weights}}
    return {"Weighted": {"loss": {name: params}, **weights}}


def value_of(loss, labels, outputs):
    return float(make("losses", loss)(array(labels), array(outputs)))


@pytest.mark.parametrize(("name", "params", "labels", "outputs", "expected"), GOLDEN)
def test_by_hand(name, params, labels, outputs, expected):
    result = value_of({name: params}, labels, outputs)
    assert result == pytest.approx(expected, rel=1e-5, abs=1e-6)
    for each in (
        weighted(name, params, weights=2.5),
        {"Weighted": {"loss": {name: params}, "weights": 2.5}},
    ):
        result = value_of(each, labels, outputs)
        assert result == pytest.approx(2.5 * expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", KERAS)
def test_a_name_of_keras_is_kerass_own(name):
    assert getattr(plx.losses, name) is getattr(keras.losses, name)


@pytest.mark.parametrize("name", [*KERAS, *OF_2017])
def test_a_copy_from_its_configuration_is_the_same(name):
    params, labels, outputs = next(
        (params, labels, outputs) for other, params, labels, outputs, _ in GOLDEN if other == name
    )
    own = {**params, "reduction": "sum", "name": "a_name"}
    loss = make("losses", weighted(name, own, weights=0.5))
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (type(copy.loss), copy.name, copy.reduction) == (type(loss.loss), "a_name", "sum")
    assert float(copy(array(labels), array(outputs))) == pytest.approx(
        float(loss(array(labels), array(outputs)))
    )


@pytest.mark.parametrize(
    ("name", "labels", "outputs", "class_weights", "expected"),
    [
        # An example weighs what its class does; the mean is over the two examples.
        (
            "SoftmaxCrossEntropy",
            [[1, 0, 0], [0, 1, 0]],
            [[0, L2, 0], [0, L2, 0]],
            [3, 5, 7],
            (3 * math.log(4) + 5 * L2) / 2,
        ),
        (
            "SoftmaxCrossEntropy",
            [0, 1],
            [[0, L2, 0], [0, L2, 0]],
            [3, 5, 7],
            (3 * math.log(4) + 5 * L2) / 2,
        ),
        ("MeanSquaredError", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.5 + 5 * 2) / 2),
        ("AbsoluteDifference", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.5 + 5 * 1) / 2),
        ("Huber", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.25 + 5 * 0.75) / 2),
        ("HuberLoss", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.25 + 5 * 0.75) / 2),
        ("ClippedDeltaLoss", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.5 + 5 * 0.5) / 2),
        (
            "KullbackLeiblerDivergence",
            [[1, 0], [0, 1]],
            [[0.5, 0.5], [0.75, 0.25]],
            [3, 5],
            (3 * L2 + 5 * math.log(4)) / 2,
        ),
        (
            "SparseCategoricalCrossentropy",
            [0, 1],
            [[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]],
            [3, 5, 7],
            (3 * math.log(4) + 5 * L2) / 2,
        ),
        (
            "CategoricalCrossentropy",
            [[1, 0, 0], [0, 1, 0]],
            [[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]],
            [3, 5, 7],
            (3 * math.log(4) + 5 * L2) / 2,
        ),
        # Elements that are decisions of their own weigh what their class does.
        (
            "BinaryCrossentropy",
            [[1, 0]],
            [[0.5, 0.75]],
            [3, 5],
            (3 * L2 - 5 * math.log(0.25)) / 2,
        ),
        (
            "SigmoidCrossEntropy",
            [[1, 0]],
            [[L3, L3]],
            [3, 5],
            (-3 * math.log(0.75) - 5 * math.log(0.25)) / 2,
        ),
        ("LogLoss", [[1, 0]], [[0.5, 0.75]], [3, 5], (3 * L2 - 5 * math.log(0.25)) / 2),
        ("Hinge", [[1, 0]], [[0.5, 0.5]], [3, 5], (3 * 0.5 + 5 * 1.5) / 2),
        ("HingeLoss", [[1, 0]], [[0.5, 0.5]], [3, 5], (3 * 0.5 + 5 * 1.5) / 2),
        # One output tells two classes apart.
        (
            "SigmoidCrossEntropy",
            [[1], [0]],
            [[L3], [L3]],
            [3, 5],
            (-5 * math.log(0.75) - 3 * math.log(0.25)) / 2,
        ),
        ("LogLoss", [1, 0], [[0.5], [0.75]], [3, 5], (5 * L2 - 3 * math.log(0.25)) / 2),
        ("Hinge", [[-1], [1]], [[0.5], [0.5]], [3, 5], (3 * 1.5 + 5 * 0.5) / 2),
        ("HingeLoss", [[-1], [1]], [[0.5], [0.5]], [3, 5], (3 * 1.5 + 5 * 0.5) / 2),
    ],
)
def test_weights_of_classes(name, labels, outputs, class_weights, expected):
    result = value_of(weighted(name, {}, class_weights=class_weights), labels, outputs)
    assert result == pytest.approx(expected, rel=1e-5)


def test_weights_in_weights():
    labels, outputs, weights = [[1, 0]], [[L3, L3]], {"weights": 2.0, "class_weights": [3, 5]}
    inner = {"SigmoidCrossEntropy": {"weights": 0.5}}
    result = value_of({"Weighted": {"loss": inner, **weights}}, labels, outputs)
    assert result == pytest.approx((-3 * math.log(0.75) - 5 * math.log(0.25)) / 2)


@pytest.mark.parametrize(
    ("loss", "probabilities"),
    [
        ("SparseCategoricalCrossentropy", [0.2, 0.8]),
        ({"SparseCategoricalCrossentropy": {"from_logits": True}}, tf.nn.softmax([0.2, 0.8])),
        ("CategoricalCrossentropy", [0.2, 0.8]),
        ({"BinaryCrossentropy": {"from_logits": True}}, tf.nn.sigmoid([0.2, 0.8])),
        ("BinaryCrossentropy", [0.2, 0.8]),
        ("MeanSquaredError", [0.2, 0.8]),
        ("CategoricalHinge", tf.nn.softmax([0.2, 0.8])),
        ("Hinge", tf.nn.sigmoid([0.2, 0.8])),
        ("SoftmaxCrossEntropy", tf.nn.softmax([0.2, 0.8])),
        ("SigmoidCrossEntropy", tf.nn.sigmoid([0.2, 0.8])),
        ("LogLoss", [0.2, 0.8]),
        ("KullbackLeiblerDivergence", [0.2, 0.8]),
    ],
)
def test_a_classifier_knows_logits_by_the_loss_with_weights_or_without(loss, probabilities):
    for each in (loss, {"Weighted": {"loss": loss, "class_weights": [1.0, 2.0]}}):
        spec = plx.models.Classifier(
            "train", graph=plx.Graph(layers=["Flatten"]), loss=each, one_hot_encode=True
        )({"x": keras.Input((2,), name="x")})
        result = spec.predict_fn({}, tf.constant([[0.2, 0.8]]))["probabilities"]
        np.testing.assert_allclose(result[0], probabilities, rtol=1e-6)


def test_smoothing_leaves_an_example_the_weight_of_its_class():
    plain = make("losses", {"SoftmaxCrossEntropy": {"label_smoothing": 0.3}})
    weighed = make(
        "losses", {"SoftmaxCrossEntropy": {"label_smoothing": 0.3, "class_weights": [1.0, 4.0]}}
    )
    assert float(weighed(array([1]), array([[0, 1]]))) == pytest.approx(
        4 * float(plain(array([1]), array([[0, 1]])))
    )


def test_a_label_without_the_outputs_last_axis_fits():
    for name in ("MeanSquaredError", "Huber", "Poisson", "Hinge"):
        loss = make("losses", name)
        assert float(loss(array([1, 0]), array([[2], [3]]))) == pytest.approx(
            float(loss(array([[1], [0]]), array([[2], [3]])))
        ), name


def test_losses_of_examples_take_weights_of_examples():
    loss = make("losses", "Huber")
    assert float(
        loss(array([[0], [0]]), array([[2], [3]]), sample_weight=array([1, 0]))
    ) == pytest.approx(1.5 / 2)


@pytest.mark.parametrize(
    ("name", "params", "labels", "outputs", "message"),
    [
        (
            "SoftmaxCrossEntropy",
            {"class_weights": [1.0, 2.0]},
            [0],
            [[0, 0, 0]],
            "class_weights: expected 3 numbers, one per class, got 2",
        ),
        (
            "SigmoidCrossEntropy",
            {"class_weights": [1.0]},
            [[0]],
            [[0]],
            "class_weights: expected 2 numbers, one per class, got 1",
        ),
    ],
)
def test_class_weights_are_as_many_as_classes(name, params, labels, outputs, message):
    with pytest.raises(ValueError, match=message):
        make("losses", {name: params})(array(labels), array(outputs))


def test_limits_that_exclude_each_other_are_refused():
    with pytest.raises(
        ConfigError, match="clip_value_min: expected a number below clip_value_max, -2.0; got 1.0"
    ):
        Component.of(
            "losses", {"ClippedDeltaLoss": {"clip_value_min": 1.0, "clip_value_max": -2.0}}
        ).build()


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("huber_loss", "HuberLoss"), ("ClippedDelta", "ClippedDeltaLoss"), ("clipped_delta_loss", "ClippedDeltaLoss"),
        ("hinge_loss", "HingeLoss"), ("poisson_loss", "PoissonLoss"), ("absolute_difference", "AbsoluteDifference"), ("log_loss", "LogLoss"),
        ("cosine_distance", "CosineDistance"), ("kullback_leibler_divergence", "KullbackLeiblerDivergence"),
        ("KullbackLeiberDivergence", "KullbackLeiblerDivergence"), ("sigmoid_cross_entropy", "SigmoidCrossEntropy"),
    ],
)  # fmt: skip
def test_names_of_2017(name, result):
    entry = default_registry().find("losses", name)
    assert entry.name == result
    assert str(entry.target).startswith("plx_layers.losses.")


@pytest.mark.parametrize("name", ["MeanSquaredError", "mean_squared_error"])
def test_a_file_of_2017_gives_its_mean_squared_error_weights(name):
    old = {"Regressor": {"loss": {name: {"weights": 2.0, "name": "loss"}}}}
    new = {"loss": {name: {"name": "loss"}}, "weights": 2.0}
    assert to_python(load_tree({"model": old}))["model"] == {
        "Regressor": {"loss": {"Weighted": new}}
    }
    heads = {"MultiHead": {"heads": {"a": old, "b": "Regressor"}}}
    tree = to_python(load_tree({"model": heads}))
    assert tree["model"]["MultiHead"]["heads"]["a"] == {"Regressor": {"loss": {"Weighted": new}}}


def test_the_json_of_2017_gives_its_mean_squared_error_weights():
    loss = {"module": "mean_squared_error", "weights": 2.0, "scope": None}
    config = {"model_config": {"module": "Regressor", "loss_config": loss}}
    assert to_python(load_tree(config))["model"]["Regressor"]["loss"] == {
        "Weighted": {"loss": {"mean_squared_error": {}}, "weights": 2.0}
    }
    metrics = [{"module": "AUC"}, {"module": "streaming_auc"}, "Accuracy"]
    config = {"model_config": {"module": "Classifier", "eval_metrics_config": metrics}}
    assert to_python(load_tree(config))["model"]["Classifier"]["metrics"] == [
        {"StreamingAUC": {}},
        {"streaming_auc": {}},
        "Accuracy",
    ]


def test_the_config_objects_of_2017_give_its_mean_squared_error_weights():
    labels, outputs = [[1, 2], [0, 0]], [[2, 0], [0, 4]]
    for config in (
        plx.configs.MeanSquaredErrorConfig(weights=2.0),
        plx.configs.LossConfig(module="mean_squared_error", weights=2.0),
    ):
        assert value_of(config, labels, outputs) == pytest.approx(2 * 21 / 4)
    assert value_of(
        plx.configs.HuberLossConfig(clip=2.0), [[0, 0, 0]], [[0.5, -1, 3]]
    ) == pytest.approx((0.125 + 0.5 + 4) / 3)
    assert type(make("metrics", plx.configs.AUCConfig())) is plx.metrics.StreamingAUC
