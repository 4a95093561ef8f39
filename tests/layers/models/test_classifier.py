"""Classifier and Regressor: what they predict, and metrics equal to scikit-learn's on the same predictions."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.errors import ComponentError

sklearn_metrics = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is what metrics are compared with"
)

SEED_METRICS = [
    "TruePositives",
    "TrueNegatives",
    "FalsePositives",
    "FalseNegatives",
    "Recall",
    "StreamingAUC",
    "Accuracy",
    "Precision",
]


def identity_spec(outputs, metrics, **params):
    """A classifier whose outputs are its features."""
    features = {"x": keras.Input((outputs,), name="x")}
    return plx.models.Classifier(
        "train", graph=plx.Graph(layers=["Flatten"]), metrics=metrics, **params
    )(features)


def metric_results(spec, labels, outputs, batch=7):
    for start in range(0, len(labels), batch):
        spec.update_metrics(
            {},
            tf.constant(labels[start : start + batch]),
            tf.constant(outputs[start : start + batch]),
        )
    return {name: float(metric.result()) for name, metric in spec.metrics.items()}


def random_examples(classes, scale=1.0, count=300):
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, count)
    outputs = rng.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    return labels, (scale * outputs).astype("float32")


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_seeds_metrics_for_many_classes_are_micro_averages(one_hot):
    labels, logits = random_examples(10)
    input_fn_of = np.eye(10, dtype="float32")[labels] if one_hot else labels
    result = metric_results(identity_spec(10, SEED_METRICS), input_fn_of, logits)
    decided = logits.argmax(-1)
    truth, guess = np.eye(10)[labels].ravel(), np.eye(10)[decided].ravel()
    (tn, fp), (fn, tp) = sklearn_metrics.confusion_matrix(truth, guess)
    assert (
        result["true_positives"],
        result["true_negatives"],
        result["false_positives"],
        result["false_negatives"],
    ) == (tp, tn, fp, fn)
    assert result["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, decided))
    assert result["precision"] == pytest.approx(
        sklearn_metrics.precision_score(labels, decided, average="micro")
    )
    assert result["recall"] == pytest.approx(
        sklearn_metrics.recall_score(labels, decided, average="micro")
    )
    probabilities = tf.nn.softmax(logits).numpy()
    assert result["streaming_auc"] == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, probabilities.ravel()), abs=1e-3
    )


def test_with_two_classes_the_second_is_the_positive_one():
    labels, logits = random_examples(2)
    result = metric_results(identity_spec(2, SEED_METRICS), labels, logits)
    decided = logits.argmax(-1)
    (tn, fp), (fn, tp) = sklearn_metrics.confusion_matrix(labels, decided)
    assert (
        result["true_positives"],
        result["true_negatives"],
        result["false_positives"],
        result["false_negatives"],
    ) == (tp, tn, fp, fn)
    assert result["precision"] == pytest.approx(sklearn_metrics.precision_score(labels, decided))
    assert result["recall"] == pytest.approx(sklearn_metrics.recall_score(labels, decided))
    assert result["streaming_auc"] == pytest.approx(
        sklearn_metrics.roc_auc_score(labels, tf.nn.softmax(logits).numpy()[:, 1]), abs=1e-3
    )


def test_one_logit_is_the_positive_class():
    labels, logits = random_examples(2)
    single = (logits[:, 1:] - logits[:, :1]).astype("float32")
    result = metric_results(
        identity_spec(1, SEED_METRICS, loss="SigmoidCrossEntropy"), labels, single
    )
    decided = (single[:, 0] > 0).astype(int)
    assert result["accuracy"] == pytest.approx(sklearn_metrics.accuracy_score(labels, decided))
    assert result["precision"] == pytest.approx(sklearn_metrics.precision_score(labels, decided))
    assert result["streaming_auc"] == pytest.approx(
        sklearn_metrics.roc_auc_score(labels, single[:, 0]), abs=1e-3
    )


def test_ranks_and_cross_entropies():
    labels, logits = random_examples(5)
    metrics = [
        "SparseCategoricalAccuracy",
        {"SparseTopKCategoricalAccuracy": {"k": 2}},
        "SparseCategoricalCrossentropy",
        "CategoricalAccuracy",
        "CategoricalCrossentropy",
    ]
    result = metric_results(identity_spec(5, metrics), labels, logits)
    accuracy = sklearn_metrics.accuracy_score(labels, logits.argmax(-1))
    loss = sklearn_metrics.log_loss(labels, tf.nn.softmax(logits).numpy())
    assert result["sparse_categorical_accuracy"] == pytest.approx(accuracy)
    assert result["categorical_accuracy"] == pytest.approx(accuracy)
    assert result["sparse_top_k_categorical_accuracy"] == pytest.approx(
        sklearn_metrics.top_k_accuracy_score(labels, logits, k=2)
    )
    assert result["sparse_categorical_crossentropy"] == pytest.approx(loss, rel=1e-4)
    assert result["categorical_crossentropy"] == pytest.approx(loss, rel=1e-4)


def test_predictions_of_a_classifier():
    spec = identity_spec(3, [])
    outputs = tf.constant([[0.0, 2.0, 1.0]])
    predictions = spec.predict_fn({}, outputs)
    assert predictions["classes"].numpy().tolist() == [1]
    np.testing.assert_allclose(predictions["probabilities"], tf.nn.softmax(outputs))
    given = identity_spec(3, [], loss={"SparseCategoricalCrossentropy": {"from_logits": False}})
    np.testing.assert_allclose(
        given.predict_fn({}, tf.constant([[0.25, 1.5, -0.5]]))["probabilities"], [[0.25, 1, 0]]
    )


def test_one_hot_encoding_is_for_the_loss():
    spec = identity_spec(3, [], loss="MeanSquaredError", one_hot_encode=True)
    loss = spec.loss_fn({}, tf.constant([2]), tf.constant([[0.0, 0.0, 0.0]]))
    assert float(loss) == pytest.approx(1 / 3)


def test_a_regressor_measures_labels_of_either_shape():
    features = {"x": keras.Input((1,), name="x")}
    spec = plx.models.Regressor(
        "train",
        graph=plx.Graph(layers=["Flatten"]),
        metrics=["MeanAbsoluteError", "RootMeanSquaredError"],
    )(features)
    outputs = tf.constant([[1.0], [3.0]])
    for labels in (
        tf.constant([2.0, 6.0]),
        tf.constant([[2.0], [6.0]]),
        {"label": tf.constant([2, 6])},
    ):
        assert float(spec.loss_fn({}, labels, outputs)) == pytest.approx(5.0)
        spec.update_metrics({}, labels, outputs)
    assert float(spec.metrics["mean_absolute_error"].result()) == pytest.approx(2.0)
    assert float(spec.metrics["root_mean_squared_error"].result()) == pytest.approx(5**0.5)


@pytest.mark.parametrize(
    ("model", "params", "labels", "message"),
    [
        ("Classifier", {"n_classes": 4}, None, r"output has shape \(None, 3\), and n_classes is 4"),
        (
            "Classifier",
            {},
            tf.TensorSpec([None, 5]),
            r"output has shape \(None, 3\), and the labels have shape \(None, 5\)",
        ),
        (
            "Classifier",
            {},
            {"a": tf.TensorSpec([None]), "b": tf.TensorSpec([None])},
            "learns one label: the only one, the one called label, or the one that its parameter `label` names; the data has a, b",
        ),
        (
            "Classifier",
            {"summaries": "los"},
            None,
            "there is no summary called los; did you mean loss",
        ),
        (
            "Regressor",
            {},
            tf.TensorSpec([None, 2]),
            r"output has shape \(None, 3\), and the labels have shape \(None, 2\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_both_shapes(model, params, labels, message):
    features = {"x": keras.Input((3,), name="x")}
    with pytest.raises(ComponentError, match=message):
        getattr(plx.models, model)("train", graph=plx.Graph(layers=["Flatten"]), **params)(
            features, labels
        )


def test_a_model_takes_a_graph_or_a_function():
    features = {"x": keras.Input((3,), name="x")}
    with pytest.raises(ComponentError, match="takes a graph or a graph_fn, and got neither"):
        plx.models.Classifier("train")(features)
    spec = plx.models.Classifier(
        "train", graph_fn=lambda mode, inputs: keras.layers.Dense(2)(inputs["x"])
    )(features)
    assert spec.network.output_shape == (None, 2)
