"""Metrics of a classifier, as the engine gathers them over batches and goes on with them."""

import json

import numpy as np
import pytest

import plx_core as plx
from plx_core.config.sections import EnvironmentConfig, RunConfig
from plx_core.data.arrays import numpy_input_fn
from plx_core.runs.checkpoints import load

THREE = (
    np.random.default_rng(8).normal(size=(120, 4)).astype("float32"),
    np.random.default_rng(9).integers(0, 3, 120),
)


def make_estimator(path, classes, metrics, log_steps=None):
    """An estimator of a classifier that saves at the end alone."""

    def model_fn(features, labels, mode):
        graph = plx.Graph(layers=[{"Dense": {"units": classes}}])
        optimizer = {"Adam": {"learning_rate": 0.01}}
        return plx.models.Classifier(mode, graph=graph, optimizer=optimizer, metrics=metrics)(
            features, labels
        )

    run = RunConfig(
        save_summary_steps=None, log_step_count_steps=log_steps, save_checkpoints_steps=1_000_000
    )
    return plx.Estimator(model_fn, path, EnvironmentConfig(seed=5, run_config=run), trackers=())


def feed(data, **params):
    x, y = data
    return numpy_input_fn(
        {"x": x}, y, **{"batch_size": 16, "num_epochs": None, "shuffle": True, "seed": 11, **params}
    )


@pytest.mark.parametrize(("data", "classes"), [("blobs", 2), ("three", 3)])
def test_metrics_equal_scikit_learns(tmp_path, blobs, data, classes):
    measures = pytest.importorskip("sklearn.metrics")
    data = blobs if data == "blobs" else THREE
    names = [
        "TruePositives",
        "TrueNegatives",
        "FalsePositives",
        "FalseNegatives",
        "Recall",
        "Accuracy",
        "Precision",
    ]
    estimator = make_estimator(
        tmp_path, classes, [*names, {"StreamingAUC": {"num_thresholds": 20_000}}]
    )
    estimator.train(feed(data), max_steps=20)
    held_out = feed(data, batch_size=32, num_epochs=1, shuffle=False)
    result = estimator.evaluate(held_out)
    rows = list(estimator.predict(held_out))
    decided, odds = (np.stack([row[name] for row in rows]) for name in ("classes", "probabilities"))
    truth, guess = data[1], decided
    if classes > 2:  # each class against the rest, all counted together
        truth, guess, odds = (
            np.eye(classes)[truth].ravel(),
            np.eye(classes)[decided].ravel(),
            odds.ravel(),
        )
    else:
        odds = odds[:, 1]
    (tn, fp), (fn, tp) = measures.confusion_matrix(truth, guess)
    assert (
        result["true_positives"],
        result["true_negatives"],
        result["false_positives"],
        result["false_negatives"],
    ) == (tp, tn, fp, fn)
    assert result["recall"] == pytest.approx(measures.recall_score(truth, guess))
    assert result["precision"] == pytest.approx(measures.precision_score(truth, guess))
    assert result["accuracy"] == pytest.approx(measures.accuracy_score(data[1], decided))
    assert result["streaming_auc"] == pytest.approx(measures.roc_auc_score(truth, odds), abs=2e-4)


def test_metrics_that_make_their_variables_late_are_restored(tmp_path, blobs):
    metrics = ["F1Score", "Accuracy"]
    whole = make_estimator(tmp_path / "whole", 2, metrics).train(feed(blobs), steps=8)
    for _ in range(2):
        parts = make_estimator(tmp_path / "parts", 2, metrics).train(feed(blobs), steps=4)
    programs = [load(estimator.latest_checkpoint())["program"] for estimator in (parts, whole)]
    assert any("f1_score" in name for group in programs[0].values() for name in group)
    np.testing.assert_equal(*programs)


def test_a_metric_of_several_numbers_is_in_the_lines_of_training_too(tmp_path, blobs):
    estimator = make_estimator(tmp_path, 2, ["F1Score"], log_steps=2)
    estimator.train(feed(blobs), max_steps=4).evaluate(feed(blobs, num_epochs=1, shuffle=False))
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    metrics = {line["split"]: line["metrics"].keys() for line in lines}
    assert {"f1_score/0", "f1_score/1"} <= metrics["train"] & metrics["eval"]
