"""The metric gives what scikit-learn itself gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from plx_sklearn_metrics.score import SCORES, SklearnScore

import plx_core as plx
from plx_core import testing


@pytest.mark.parametrize("score", SCORES)
def test_it_is_scikit_learns_over_many_batches(score):
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 4, (2, 200))
    metric = SklearnScore(score, 4)
    for start in range(0, 200, 30):
        metric.update_state(labels[start : start + 30], predicted[start : start + 30])
    assert float(metric.result()) == pytest.approx(SCORES[score](labels, predicted), abs=1e-6)


def test_a_classifier_of_two_classes_is_scored():
    pytest.importorskip("plx_layers")
    rng = np.random.default_rng(2)
    labels, outputs = rng.integers(0, 2, 50), rng.normal(size=(50, 2)).astype("float32")
    spec = plx.models.Classifier(
        "eval",
        graph_fn=lambda mode, features: keras.layers.Identity()(features["x"]),
        metrics=[SklearnScore("matthews", 2)],
    )({"x": keras.Input((2,), name="x")})
    spec.update_metrics({}, tf.constant(labels), tf.constant(outputs))
    expected = SCORES["matthews"](labels, outputs.argmax(axis=1))
    assert float(spec.metrics["matthews"].result()) == pytest.approx(expected, abs=1e-6)


def test_an_unknown_score_is_named():
    with pytest.raises(ValueError, match="expected one of balanced_accuracy"):
        SklearnScore("accuracy", 3)


def test_every_part_passes_its_check():
    results = testing.check_plugin("plx_sklearn_metrics.plugin")
    assert {result.outcome for result in results} == {"passed"}
