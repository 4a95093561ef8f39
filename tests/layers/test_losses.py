"""Losses against numbers worked out by hand, with their weights and the weights of classes."""

import math

import keras
import numpy as np
import pytest

from plx_core.components.component import Component, default_registry, make
from plx_core.errors import ConfigError

NAMES = [
    "AbsoluteDifference", "LogLoss", "MeanSquaredError", "Huber", "ClippedDelta", "SoftmaxCrossEntropy", "SigmoidCrossEntropy", "Hinge",
    "CosineDistance", "Poisson", "KullbackLeiblerDivergence",
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
    ("Huber", {"delta": 2.0}, [[0, 0, 0]], [[0.5, -1, 3]], (0.125 + 0.5 + 4) / 3),
    ("ClippedDelta", {}, [[0, 0, 0]], [[0.5, -3, 3]], (0.25 + 1 + 1) / 3),
    (
        "ClippedDelta",
        {"clip_value_min": -2.0, "clip_value_max": 3.0},
        [[0, 0, 0]],
        [[0.5, -3, 3]],
        (0.25 + 4 + 9) / 3,
    ),
    ("SoftmaxCrossEntropy", {}, [[0, 1, 0]], [[0, L2, 0]], L2),
    ("SoftmaxCrossEntropy", {}, [[0.5, 0.5, 0]], [[0, L2, 0]], 0.5 * math.log(4) + 0.5 * L2),
    ("SigmoidCrossEntropy", {}, [[1, 0]], [[L3, L3]], (-math.log(0.75) - math.log(0.25)) / 2),
    ("Hinge", {}, [[1, 0, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("Hinge", {}, [[1, -1, 1]], [[0.5, 0.5, 2]], (0.5 + 1.5 + 0) / 3),
    ("CosineDistance", {}, [[1, 0], [0, 1]], [[0.6, 0.8], [0, 1]], (0.4 + 0) / 2),
    ("CosineDistance", {}, [[3, 0]], [[1, 1]], 1 - math.sqrt(0.5)),
    ("CosineDistance", {"dim": 1}, [[[1], [0]]], [[[0.6], [0.8]]], 0.4),
    ("Poisson", {}, [[2, 0]], [[3, 1]], ((3 - 2 * L3) + 1) / 2),
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


@pytest.mark.parametrize(("name", "params", "labels", "outputs", "expected"), GOLDEN)
def test_by_hand(name, params, labels, outputs, expected):
    loss = make("losses", {name: params})
    assert float(loss(array(labels), array(outputs))) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert float(
        make("losses", {name: {**params, "weights": 2.5}})(array(labels), array(outputs))
    ) == pytest.approx(2.5 * expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_from_its_configuration_is_the_same(name):
    params, labels, outputs = next(
        (params, labels, outputs) for known, params, labels, outputs, _ in GOLDEN if known == name
    )
    loss = make("losses", {name: {**params, "weights": 0.5, "reduction": "sum", "name": "a_name"}})
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert (type(copy), copy.name, copy.reduction) == (type(loss), "a_name", "sum")
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
        ("ClippedDelta", [[1, 0], [0, 1]], [[0, 0], [0, 3]], [3, 5], (3 * 0.5 + 5 * 0.5) / 2),
        (
            "KullbackLeiblerDivergence",
            [[1, 0], [0, 1]],
            [[0.5, 0.5], [0.75, 0.25]],
            [3, 5],
            (3 * L2 + 5 * math.log(4)) / 2,
        ),
        # Elements that are decisions of their own weigh what their class does.
        (
            "SigmoidCrossEntropy",
            [[1, 0]],
            [[L3, L3]],
            [3, 5],
            (-3 * math.log(0.75) - 5 * math.log(0.25)) / 2,
        ),
        ("LogLoss", [[1, 0]], [[0.5, 0.75]], [3, 5], (3 * L2 - 5 * math.log(0.25)) / 2),
        ("Hinge", [[1, 0]], [[0.5, 0.5]], [3, 5], (3 * 0.5 + 5 * 1.5) / 2),
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
    ],
)
def test_weights_of_classes(name, labels, outputs, class_weights, expected):
    loss = make("losses", {name: {"class_weights": class_weights}})
    assert float(loss(array(labels), array(outputs))) == pytest.approx(expected, rel=1e-5)


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
            "class_weights: expected 3 numbers, one a class, got 2",
        ),
        (
            "SigmoidCrossEntropy",
            {"class_weights": [1.0]},
            [[0]],
            [[0]],
            "class_weights: expected 2 numbers, one a class, got 1",
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
            "losses", {"ClippedDelta": {"clip_value_min": 1.0, "clip_value_max": -2.0}}
        ).build()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("huber_loss", "Huber"), ("HuberLoss", "Huber"), ("ClippedDeltaLoss", "ClippedDelta"), ("clipped_delta_loss", "ClippedDelta"),
        ("HingeLoss", "Hinge"), ("PoissonLoss", "Poisson"), ("absolute_difference", "AbsoluteDifference"), ("log_loss", "LogLoss"),
        ("cosine_distance", "CosineDistance"), ("kullback_leibler_divergence", "KullbackLeiblerDivergence"),
        ("KullbackLeiberDivergence", "KullbackLeiblerDivergence"), ("sigmoid_cross_entropy", "SigmoidCrossEntropy"),
    ],
)  # fmt: skip
def test_names_of_2017(name, found):
    entry = default_registry().find("losses", name)
    assert entry.name == found
    assert str(entry.target).startswith("plx_layers.losses.")
