"""For every kind of task, what a run measures is what scikit-learn measures of the run's own predictions."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn

m = pytest.importorskip("sklearn.metrics", reason="scikit-learn is what metrics are compared with")

PADDING = 0
AREAS = {"average_precision", "streaming_auc", "auc_macro", "auc_of_logits"}
"""The metrics that are exact up to examples between two thresholds."""
RUN = plx.RunConfig(save_summary_steps=None, log_step_count_steps=None)
macro, micro = ({"average": name} for name in ("macro", "micro"))


def named(metric, name, **params):
    return {metric: {**params, "name": name}}


COUNTS = ["TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives"]
ONE_CLASS_METRICS = [
    *COUNTS,
    "Accuracy",
    "Precision",
    "Recall",
    "StreamingAUC",
    named("StreamingAUC", "average_precision", curve="PR"),
    "SparseCategoricalAccuracy",
    "CategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
    named("SparseCategoricalCrossentropy", "from_logits", from_logits=True),
    named("F1Score", "f1_macro", average="macro"),
    named("F1Score", "f1_micro", average="micro"),
    named("F1Score", "f1_weighted", average="weighted"),
    named("FBetaScore", "f2", average="macro", beta=2.0),
    named("Precision", "precision_of_1", class_id=1),
    named("Recall", "recall_of_1", class_id=1),
    "MeanSquaredError",
]


def metrics_of_classes(classes):
    """Metrics of examples with one class; some need the number of classes."""
    return [
        *ONE_CLASS_METRICS,
        named("MeanIoU", "mean_iou", num_classes=classes),
        named("IoU", "iou_of_1", num_classes=classes, target_class_ids=[1]),
        named("OneHotMeanIoU", "one_hot_mean_iou", num_classes=classes),
    ]


def scores_of_classes(labels, decided, odds):
    """What scikit-learn says of examples with one class.

    Args:
        labels: int [n].
        decided: the predicted classes, int [n].
        odds: the probability of each class, float [n, classes].
    """
    classes = odds.shape[1]
    every = range(classes)
    vectors = np.eye(classes)[labels]
    if classes == 2:
        truth, guess, certainty = labels, decided, odds[:, 1]
        average = {"average": "binary"}
    else:
        truth, guess, certainty = vectors.ravel(), np.eye(classes)[decided].ravel(), odds.ravel()
        average = micro
    (tn, fp), (fn, tp) = m.confusion_matrix(truth, guess, labels=[0, 1])
    f1 = functools.partial(m.f1_score, labels, decided, labels=every, zero_division=0)
    jaccard = m.jaccard_score(labels, decided, labels=every, average=None, zero_division=0)
    present = np.union1d(labels, decided)
    certain = odds.astype("float64")
    log_loss = m.log_loss(labels, certain / certain.sum(axis=1, keepdims=True), labels=every)
    one = {"labels": [1], "average": "micro", "zero_division": 0}
    return {
        "true_positives": tp,
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "accuracy": m.accuracy_score(labels, decided),
        "precision": m.precision_score(labels, decided, zero_division=0, **average),
        "recall": m.recall_score(labels, decided, zero_division=0, **average),
        "streaming_auc": m.roc_auc_score(truth, certainty),
        "average_precision": m.average_precision_score(truth, certainty),
        "sparse_categorical_accuracy": m.accuracy_score(labels, decided),
        "categorical_accuracy": m.accuracy_score(labels, decided),
        "sparse_categorical_crossentropy": log_loss,
        "categorical_crossentropy": log_loss,
        "from_logits": log_loss,
        "f1_macro": f1(**macro),
        "f1_micro": f1(**micro),
        "f1_weighted": f1(average="weighted"),
        "f2": m.fbeta_score(labels, decided, beta=2, labels=every, zero_division=0, **macro),
        "precision_of_1": m.precision_score(labels, decided, **one),
        "recall_of_1": m.recall_score(labels, decided, **one),
        "mean_squared_error": m.mean_squared_error(truth, certainty),
        "mean_iou": jaccard[present].mean(),
        "iou_of_1": jaccard[1],
        "one_hot_mean_iou": jaccard[present].mean(),
    }


def two_columns(odds):
    """The probabilities of both classes, from those of one or two outputs."""
    return np.concatenate([1 - odds, odds], axis=1) if odds.shape[1] == 1 else odds


SET_METRICS = [
    *COUNTS,
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "Precision",
    "Recall",
    "StreamingAUC",
    named("AUC", "auc_macro", multi_label=True, num_thresholds=5000),
    named("AUC", "auc_of_logits", from_logits=True, num_thresholds=5000),
    named("F1Score", "f1_macro", average="macro"),
    named("F1Score", "f1_micro", average="micro"),
    named("Precision", "precision_of_1", class_id=1),
    named("Recall", "recall_at_half", thresholds=0.5),
]


def scores_of_sets(labels, decided, odds):
    """What scikit-learn says of examples with a set of classes, all [n, classes]."""
    labels = labels.astype("int64")
    (tn, fp), (fn, tp) = m.confusion_matrix(labels.ravel(), decided.ravel(), labels=[0, 1])
    entropies = [
        m.log_loss(labels[:, column], odds[:, column].astype("float64"), labels=[0, 1])
        for column in range(odds.shape[1])
    ]
    auc = m.roc_auc_score(labels, odds, average="micro")
    return {
        "true_positives": tp,
        "true_negatives": tn,
        "false_positives": fp,
        "false_negatives": fn,
        "accuracy": m.accuracy_score(labels, decided),
        "binary_accuracy": 1 - m.hamming_loss(labels, decided),
        "binary_crossentropy": np.mean(entropies),
        "precision": m.precision_score(labels, decided, zero_division=0, **micro),
        "recall": m.recall_score(labels, decided, zero_division=0, **micro),
        "streaming_auc": auc,
        "auc_macro": m.roc_auc_score(labels, odds, **macro),
        "auc_of_logits": auc,
        "f1_macro": m.f1_score(labels, decided, zero_division=0, **macro),
        "f1_micro": m.f1_score(labels, decided, zero_division=0, **micro),
        "precision_of_1": m.precision_score(labels[:, 1], decided[:, 1], zero_division=0),
        "recall_at_half": m.recall_score(labels, odds > 0.5, zero_division=0, **micro),
    }


NUMBER_METRICS = [
    "MeanAbsoluteError",
    "MeanSquaredError",
    "RootMeanSquaredError",
    "MeanAbsolutePercentageError",
    "R2Score",
    "StreamingPearsonCorrelation",
]


def scores_of_numbers(labels, results):
    """What scikit-learn and NumPy say of numbers, [n, 1] both."""
    return {
        "mean_absolute_error": m.mean_absolute_error(labels, results),
        "mean_squared_error": m.mean_squared_error(labels, results),
        "root_mean_squared_error": m.root_mean_squared_error(labels, results),
        "mean_absolute_percentage_error": 100 * m.mean_absolute_percentage_error(labels, results),
        "r2_score": m.r2_score(labels, results),
        "streaming_pearson_correlation": np.corrcoef(labels[:, 0], results[:, 0])[0, 1],
    }


def run_of(path, model, x, y):
    """Train a few steps; return what an evaluation measures, and the predictions by name."""

    def model_fn(features, labels, mode):
        return model(mode, is_measured=mode == "eval")(features, labels)

    estimator = plx.Estimator(model_fn, path, RUN, trackers=())
    estimator.train(numpy_input_fn({"x": x}, y, 32, None, shuffle=True, seed=1), max_steps=12)
    held_out = numpy_input_fn({"x": x}, y, 25, shuffle=False)
    rows = list(estimator.predict(held_out))
    return estimator.evaluate(held_out), {
        name: np.stack([row[name] for row in rows]) for name in rows[0]
    }


def dense(units):
    return plx.Graph(layers=[{"Dense": {"units": units}}])


def classifier(units, metrics, **params):
    """Return a function that returns a classifier; it measures only where that is needed."""

    def model(mode, is_measured):
        optimizer = {"Adam": {"learning_rate": 0.03}}
        return plx.models.Classifier(
            mode,
            graph=dense(units),
            optimizer=optimizer,
            metrics=metrics if is_measured else [],
            **params,
        )

    return model


def examples(classes, shape=(110,)):
    """Features, and labels that follow them in part."""
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, shape)
    x = rng.normal(size=(*shape, 5)) + 0.8 * rng.normal(size=(classes, 5))[labels]
    return x.astype("float32"), labels


def require_equal(result, expected):
    wrong = {
        name: (result[name], value)
        for name, value in expected.items()
        if result[name] != pytest.approx(value, rel=1e-4, abs=2e-3 if name in AREAS else 1e-5)
    }
    assert not wrong


@pytest.mark.parametrize(
    ("outputs", "classes", "loss"),
    [
        (1, 2, "SigmoidCrossEntropy"),
        (2, 2, "SoftmaxCrossEntropy"),
        (4, 4, "SoftmaxCrossEntropy"),
    ],
    ids=["binary", "binary, two outputs", "multi-class"],
)
def test_one_class(tmp_path, outputs, classes, loss):
    x, y = examples(classes)
    model = classifier(outputs, metrics_of_classes(classes), loss=loss)
    result, predictions = run_of(tmp_path, model, x, y)
    odds = two_columns(predictions["probabilities"])
    require_equal(result, scores_of_classes(y, predictions["classes"], odds))


def test_sets_of_classes(tmp_path):
    x, _ = examples(4)
    y = (x @ np.random.default_rng(7).normal(size=(5, 4)) > 0.5).astype("int64")
    model = classifier(4, SET_METRICS, loss="SigmoidCrossEntropy")
    result, predictions = run_of(tmp_path, model, x, y)
    require_equal(result, scores_of_sets(y, predictions["classes"], predictions["probabilities"]))


def test_sequences_without_their_padding(tmp_path):
    x, y = examples(4, (30, 6))
    y[:, 4:] = np.where(np.arange(30)[:, None] % 3 == 0, PADDING, y[:, 4:])
    model = classifier(4, metrics_of_classes(4), padding_label=PADDING)
    result, predictions = run_of(tmp_path, model, x, y)
    counts = y != PADDING
    labels, decided, odds = (
        values[counts] for values in (y, predictions["classes"], predictions["probabilities"])
    )
    expected = scores_of_classes(labels, decided, odds)
    require_equal(result, expected)


def test_regression(tmp_path):
    x, _ = examples(3)
    y = (x.sum(axis=1) + np.random.default_rng(2).normal(size=110)).astype("float32")

    def model(mode, is_measured):
        optimizer = {"Adam": {"learning_rate": 0.1}}
        metrics = NUMBER_METRICS if is_measured else []
        return plx.models.Regressor(mode, graph=dense(1), optimizer=optimizer, metrics=metrics)

    result, predictions = run_of(tmp_path, model, x, y)
    require_equal(result, scores_of_numbers(y[:, None], predictions["results"]))


def test_several_heads(tmp_path):
    x, kind = examples(3)
    tags = (x @ np.random.default_rng(7).normal(size=(5, 4)) > 0.5).astype("float32")
    size = x.sum(axis=1, keepdims=True)
    units = {"kind": 3, "tags": 4, "size": 1}

    def model(mode, is_measured):
        layers = [
            {"Dense": {"units": count, "name": name, "inbound_nodes": "x"}}
            for name, count in units.items()
        ]
        names = [metrics_of_classes(3), SET_METRICS, NUMBER_METRICS] if is_measured else [[]] * 3
        heads = {
            "kind": plx.models.Classifier(mode, metrics=names[0]),
            "tags": plx.models.Classifier(mode, loss="SigmoidCrossEntropy", metrics=names[1]),
            "size": plx.models.Regressor(mode, metrics=names[2]),
        }
        graph = plx.Graph(layers=layers, output_layers=list(units))
        return plx.models.MultiHead(mode, graph=graph, heads=heads)

    labels = {"kind": kind, "tags": tags, "size": size}
    result, predictions = run_of(tmp_path, model, x, labels)
    of_kind, of_tags = (
        [predictions[f"{name}/{part}"] for part in ("classes", "probabilities")]
        for name in ("kind", "tags")
    )
    for name, expected in {
        "kind": scores_of_classes(kind, *of_kind),
        "tags": scores_of_sets(tags, *of_tags),
        "size": scores_of_numbers(size, predictions["size/results"]),
    }.items():
        own = {key.removeprefix(f"{name}/"): value for key, value in result.items()}
        require_equal(own, expected)


@functools.cache
def identity(outputs, loss):
    """The specification of a classifier whose outputs are its features, and its traced update."""
    metrics = (
        SET_METRICS
        if loss == "SigmoidCrossEntropy" and outputs > 1
        else metrics_of_classes(max(2, outputs))
    )
    spec = plx.models.Classifier(
        "eval", graph=plx.Graph(layers=["Flatten"]), loss=loss, metrics=metrics
    )({"x": keras.Input((outputs,), name="x")})
    return spec, tf.function(spec.update_metrics, reduce_retracing=True, autograph=False)


@settings(max_examples=20)
@given(
    st.sampled_from(
        [
            (1, "SigmoidCrossEntropy"),
            (2, "SoftmaxCrossEntropy"),
            (5, "SoftmaxCrossEntropy"),
            (5, "SigmoidCrossEntropy"),
        ]
    ),
    st.integers(0, 2**31),
    st.floats(0.1, 2.5),
    st.integers(8, 60),
)
def test_any_labels_and_logits(task, seed, scale, count):
    """Rare and absent classes, ties, certainty, and batches of any size."""
    outputs, loss = task
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(count, outputs)).round(1)).astype("float32")
    spec, update = identity(outputs, loss)
    is_set = loss == "SigmoidCrossEntropy" and outputs > 1
    if is_set:
        labels = (rng.random((count, outputs)) < rng.random(outputs)).astype("int64")
        labels[:2] = [[0] * outputs, [1] * outputs]  # an area needs a negative and a positive
    else:
        labels = rng.integers(0, rng.integers(2, max(2, outputs) + 1), count)
        labels[:2] = 0, 1
    for metric in spec.metrics.values():
        metric.reset_state()
    for start in range(0, count, 7):
        part = slice(start, start + 7)
        update({}, tf.constant(labels[part]), tf.constant(logits[part]))
    result = {name: float(np.squeeze(metric.result())) for name, metric in spec.metrics.items()}
    predictions = {
        name: value.numpy() for name, value in spec.predict_fn({}, tf.constant(logits)).items()
    }
    odds = predictions["probabilities"]
    score = scores_of_sets if is_set else scores_of_classes
    expected = score(labels, predictions["classes"], odds if is_set else two_columns(odds))
    # Of few examples, those between two thresholds weigh too much for an area.
    require_equal(result, {name: expected[name] for name in expected.keys() - AREAS})
