"""Metrics against NumPy and scikit-learn, fed by the models in batches inside a compiled program."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import plx_core as plx
from plx_core.components.component import default_registry, make

sklearn_metrics = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is what metrics are compared with"
)


def metric_result(metric, labels, outputs, batch=7, weights=None):
    metric = make("metrics", metric)

    @tf.function(reduce_retracing=True)
    def update(*values):
        metric.update_state(*values)

    labels, outputs = np.asarray(labels, "float32"), np.asarray(outputs, "float32")
    for start in range(0, len(labels), batch):
        part = slice(start, start + batch)
        update(
            *(tf.constant(value[part]) for value in (labels, outputs, weights) if value is not None)
        )
    return np.asarray(metric.result())


def random_examples(count=300, scale=1.0):
    """Labels 0 and 1, and probabilities that are more or less right."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, count)
    logits = scale * (rng.normal(size=count) + 2.0 * labels - 1.0)
    return labels, (1 / (1 + np.exp(-logits))).astype("float32")


@pytest.mark.parametrize("scale", [0.01, 1.0, 10.0, 60.0])
def test_areas_are_scikit_learns_for_saturated_probabilities_too(scale):
    labels, probabilities = random_examples(scale=scale)
    assert metric_result("StreamingAUC", labels, probabilities) == pytest.approx(
        sklearn_metrics.roc_auc_score(labels, probabilities), abs=1e-3
    )
    result = metric_result({"StreamingAUC": {"curve": "PR"}}, labels, probabilities)
    assert result == pytest.approx(
        sklearn_metrics.average_precision_score(labels, probabilities), abs=1e-3
    )


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([0.0, 1e-30, 1e-9, 1e-3, 0.4, 0.5, 0.501, 0.999, 1 - 1e-6, 1.0]),
        ),
        min_size=2,
        max_size=12,
    )
)
@settings(max_examples=40)
def test_area_is_the_chance_that_a_positive_comes_first(drawn_pairs):
    labels, probabilities = (
        np.array([pair[0] for pair in drawn_pairs]),
        np.array([pair[1] for pair in drawn_pairs], "float32"),
    )
    metric = make("metrics", "StreamingAUC")
    metric.update_state(labels, probabilities)
    pairs = [
        (high > low) + 0.5 * (high == low)
        for high in probabilities[labels]
        for low in probabilities[~labels]
    ]
    assert float(metric.result()) == pytest.approx(np.mean(pairs) if pairs else 0.0, abs=1e-6)


def test_area_weighs_examples():
    labels, probabilities = random_examples()
    weights = np.random.default_rng(0).uniform(size=len(labels)).astype("float32")
    expected = sklearn_metrics.roc_auc_score(labels, probabilities, sample_weight=weights)
    assert metric_result("StreamingAUC", labels, probabilities, weights=weights) == pytest.approx(
        expected, abs=1e-3
    )
    columns = metric_result(
        "StreamingAUC", labels[:, None], probabilities[:, None], weights=weights
    )
    assert columns == pytest.approx(expected, abs=1e-3)


def test_area_of_one_class():
    labels, probabilities = random_examples()
    both = np.stack([1 - probabilities, probabilities], 1)
    result = metric_result({"StreamingAUC": {"class_id": 1}}, np.eye(2)[labels], both)
    assert result == pytest.approx(sklearn_metrics.roc_auc_score(labels, probabilities), abs=1e-3)


@pytest.mark.parametrize("least", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_points_on_the_curve(least, scale):
    labels, probabilities = random_examples(scale=scale)
    fall_out, recall, _ = sklearn_metrics.roc_curve(labels, probabilities, drop_intermediate=False)
    result = metric_result(
        {"StreamingSensitivityAtSpecificity": {"specificity": least}}, labels, probabilities
    )
    assert result == pytest.approx(recall[1 - fall_out >= least].max(), abs=0.01)
    result = metric_result(
        {"StreamingSpecificityAtSensitivity": {"sensitivity": least}}, labels, probabilities
    )
    assert result == pytest.approx(1 - fall_out[recall >= least].min(), abs=0.01)


def test_precision_and_recall_at_thresholds():
    labels, probabilities = random_examples()
    thresholds = [0.1, 0.5, 0.9]
    decided = [probabilities > threshold for threshold in thresholds]
    result = metric_result(
        {"PrecisionAtThresholds": {"thresholds": thresholds}}, labels, probabilities
    )
    np.testing.assert_allclose(
        result, [sklearn_metrics.precision_score(labels, guess) for guess in decided], rtol=1e-6
    )
    result = metric_result(
        {"RecallAtThresholds": {"thresholds": thresholds}}, labels, probabilities
    )
    np.testing.assert_allclose(
        result, [sklearn_metrics.recall_score(labels, guess) for guess in decided], rtol=1e-6
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_precision_and_recall_at_k(k):
    rng = np.random.default_rng(k)
    labels, probabilities = rng.integers(0, 4, 50), rng.uniform(size=(50, 4)).astype("float32")
    truth = np.eye(4)[labels]
    top_k = np.zeros((50, 4))
    np.put_along_axis(top_k, np.argsort(probabilities)[:, -k:], 1, 1)
    hits = (truth * top_k).sum()
    assert metric_result({"RecallAtK": {"k": k}}, truth, probabilities) == pytest.approx(
        hits / truth.sum()
    )
    assert metric_result({"RecallAtK": {"k": k}}, truth, probabilities) == pytest.approx(
        sklearn_metrics.top_k_accuracy_score(labels, probabilities, k=k)
    )
    assert metric_result({"PrecisionAtK": {"k": k}}, truth, probabilities) == pytest.approx(
        hits / top_k.sum()
    )
    of_one = (truth * top_k)[:, 2].sum()
    assert metric_result(
        {"RecallAtK": {"k": k, "class_id": 2}}, truth, probabilities
    ) == pytest.approx(of_one / truth[:, 2].sum())
    assert metric_result(
        {"PrecisionAtK": {"k": k, "class_id": 2}}, truth, probabilities
    ) == pytest.approx(of_one / top_k[:, 2].sum())


def regression(count=50, columns=1):
    rng = np.random.default_rng(columns)
    labels = rng.normal(3.0, 2.0, size=(count, columns))
    return labels.astype("float32"), (0.5 * labels + rng.normal(size=(count, columns))).astype(
        "float32"
    )


@pytest.mark.parametrize("columns", [1, 3])
def test_errors_and_correlations(columns):
    labels, outputs = regression(columns=columns)
    flat, guess = labels.ravel(), outputs.ravel()
    distances = 1 - (labels * outputs).sum(1) / (
        np.linalg.norm(labels, axis=1) * np.linalg.norm(outputs, axis=1)
    )
    expected = {
        "MeanAbsoluteError": sklearn_metrics.mean_absolute_error(flat, guess),
        "MeanSquaredError": sklearn_metrics.mean_squared_error(flat, guess),
        "RootMeanSquaredError": sklearn_metrics.mean_squared_error(flat, guess) ** 0.5,
        "MeanRelativeError": sklearn_metrics.mean_absolute_percentage_error(flat, guess),
        "Covariance": np.cov(flat, guess)[0, 1],
        "StreamingPearsonCorrelation": np.corrcoef(flat, guess)[0, 1],
        "MeanCosineDistance": distances.mean(),
        "StreamingMean": guess.mean(),
    }
    result = {name: metric_result(name, labels, outputs) for name in expected}
    assert result == {
        name: pytest.approx(value, rel=1e-4, abs=1e-6) for name, value in expected.items()
    }
    assert metric_result({"PercentageLess": {"threshold": 1.5}}, labels, outputs) == pytest.approx(
        (guess < 1.5).mean()
    )


def test_relative_errors_by_what_they_are_divided():
    labels, outputs = [[0.0, 2.0], [4.0, -2.0]], [[1.0, 3.0], [2.0, -1.0]]
    assert metric_result("MeanRelativeError", labels, outputs) == pytest.approx(
        (0 + 0.5 + 0.5 + 0.5) / 4
    )
    assert metric_result(
        {"MeanRelativeError": {"normalizer": 2}}, labels, outputs
    ) == pytest.approx((0.5 + 0.5 + 1 + 0.5) / 4)
    assert metric_result(
        {"MeanRelativeError": {"normalizer": [1, 2]}}, labels, outputs
    ) == pytest.approx((1 + 0.5 + 2 + 0.5) / 4)


def test_correlations_keep_their_digits_far_from_zero_and_with_weights():
    rng = np.random.default_rng(0)
    labels = rng.normal(1000.0, 1.0, size=500).astype("float32")
    outputs = (labels + rng.normal(size=500)).astype("float32")
    assert metric_result("StreamingPearsonCorrelation", labels, outputs, batch=64) == pytest.approx(
        np.corrcoef(labels, outputs)[0, 1], abs=1e-3
    )
    weights = rng.integers(0, 3, 500)
    expected = np.cov(labels.astype("float64"), outputs.astype("float64"), fweights=weights)[0, 1]
    assert metric_result(
        "Covariance", labels, outputs, weights=weights.astype("float32")
    ) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["Covariance", "StreamingPearsonCorrelation"])
def test_nothing_to_correlate_is_zero(name):
    metric = make("metrics", name)
    assert float(metric.result()) == 0.0
    metric.update_state(tf.constant([[2.0]]), tf.constant([[3.0]]))
    assert float(metric.result()) == 0.0
    metric.update_state(tf.constant([[2.0]]), tf.constant([[3.0]]))
    assert float(metric.result()) == pytest.approx(0.0)
    metric.reset_state()
    metric.update_state(tf.constant([[1.0], [2.0]]), tf.constant([[1.0], [2.0]]))
    assert float(metric.result()) == pytest.approx(
        {"Covariance": 0.5, "StreamingPearsonCorrelation": 1.0}[name]
    )


def classifier_metrics(classes, metrics, labels, logits, **params):
    """What a classifier whose outputs are its features measures of them."""
    features = {"x": keras.Input((logits.shape[1],), name="x")}
    spec = plx.models.Classifier(
        "eval", graph=plx.Graph(layers=["Flatten"]), metrics=metrics, **params
    )(features)
    update = tf.function(spec.update_metrics, reduce_retracing=True)
    for start in range(0, len(labels), 16):
        update({}, tf.constant(labels[start : start + 16]), tf.constant(logits[start : start + 16]))
    return {name: np.asarray(metric.result()) for name, metric in spec.metrics.items()}


METRICS = [
    "StreamingAUC", {"StreamingSensitivityAtSpecificity": {"specificity": 0.5}}, {"StreamingSpecificityAtSensitivity": {"sensitivity": 0.5}},
    {"PrecisionAtThresholds": {"thresholds": [0.2, 0.6]}}, {"RecallAtThresholds": {"thresholds": [0.2, 0.6]}},
    {"PercentageLess": {"threshold": 0.5}}, "MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError", "Covariance",
    "StreamingPearsonCorrelation", "MeanRelativeError", "MeanCosineDistance", "Accuracy",
]  # fmt: skip


def random_logits(classes):
    """Class indices and logits that are more or less right."""
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 100)
    return labels, (rng.normal(size=(100, classes)) + np.eye(classes)[labels]).astype("float32")


@pytest.mark.parametrize("classes", [2, 5])
def test_a_classifier_feeds_its_metrics(classes):
    labels, logits = random_logits(classes)
    probabilities = tf.nn.softmax(logits).numpy()
    truth, guess = (
        (labels, probabilities[:, 1])
        if classes == 2
        else (np.eye(classes)[labels].ravel(), probabilities.ravel())
    )
    ranked = [
        {"RecallAtK": {"k": 1}},
        {"PrecisionAtK": {"k": 1}},
        {"StreamingAUC": {"class_id": 1, "name": "of_one"}},
        {"MeanIoU": {"num_classes": classes, "name": "mean_iou"}},
    ]
    result = classifier_metrics(classes, METRICS + ranked, labels, logits)
    decided = logits.argmax(1)
    assert result["streaming_auc"] == pytest.approx(
        sklearn_metrics.roc_auc_score(truth, guess), abs=1e-3
    )
    assert result["of_one"] == pytest.approx(
        sklearn_metrics.roc_auc_score(labels == 1, probabilities[:, 1]), abs=1e-3
    )
    assert result["streaming_pearson_correlation"] == pytest.approx(
        np.corrcoef(truth, guess)[0, 1], abs=1e-4
    )
    assert result["covariance"] == pytest.approx(np.cov(truth, guess)[0, 1], abs=1e-4)
    assert result["mean_absolute_error"] == pytest.approx(
        sklearn_metrics.mean_absolute_error(truth, guess), abs=1e-5
    )
    assert result["precision_at_thresholds"] == pytest.approx(
        [sklearn_metrics.precision_score(truth, guess > t) for t in (0.2, 0.6)], abs=1e-5
    )
    assert (
        result["recall_at_k"]
        == result["precision_at_k"]
        == pytest.approx(sklearn_metrics.accuracy_score(labels, decided))
    )
    assert result["mean_iou"] == pytest.approx(
        sklearn_metrics.jaccard_score(labels, decided, average="macro")
    )


def test_a_regressor_feeds_its_metrics():
    labels, outputs = regression()
    features = {"x": keras.Input((1,), name="x")}
    names = [
        "Covariance",
        "StreamingPearsonCorrelation",
        "MeanRelativeError",
        "MeanCosineDistance",
        {"PercentageLess": {"threshold": 1.0}},
        "StreamingMean",
    ]
    spec = plx.models.Regressor("eval", graph=plx.Graph(layers=["Flatten"]), metrics=names)(
        features
    )
    tf.function(spec.update_metrics)({}, tf.constant(labels[:, 0]), tf.constant(outputs))
    result = {name: float(metric.result()) for name, metric in spec.metrics.items()}
    assert result["covariance"] == pytest.approx(
        np.cov(labels[:, 0], outputs[:, 0])[0, 1], rel=1e-4
    )
    assert result["streaming_mean"] == pytest.approx(outputs.mean(), rel=1e-5)


@pytest.mark.parametrize(
    "metric", [*METRICS, {"RecallAtK": {"k": 2}}, {"PrecisionAtK": {"k": 2}}, "StreamingMean"]
)
def test_a_copy_from_its_configuration_is_the_same(metric):
    instance = make("metrics", metric)
    copy = keras.metrics.deserialize(keras.metrics.serialize(instance))
    assert (type(copy), copy.get_config()) == (type(instance), instance.get_config())


STREAMING = [
    "true_positives", "true_negatives", "false_positives", "false_negatives", "mean", "accuracy", "precision", "recall", "auc",
    "specificity_at_sensitivity", "sensitivity_at_specificity", "precision_at_thresholds", "recall_at_thresholds", "sparse_recall_at_k",
    "sparse_precision_at_k", "recall_at_k", "precision_at_k", "mean_absolute_error", "mean_relative_error", "mean_squared_error",
    "root_mean_squared_error", "covariance", "pearson_correlation", "mean_cosine_distance", "percentage_less", "mean_iou",
]  # fmt: skip


@pytest.mark.parametrize("name", STREAMING)
def test_streaming_names(name):
    entry = default_registry().find("metrics", f"streaming_{name}")
    own_name = entry.name.removeprefix("Streaming").lower()
    assert own_name == name.removeprefix("sparse_").replace("_", "")


@pytest.mark.parametrize(
    "name", ["AUC", "PearsonCorrelation", "SensitivityAtSpecificity", "SpecificityAtSensitivity"]
)
def test_a_name_of_keras_is_kerass_own(name):
    assert getattr(plx.metrics, name) is getattr(keras.metrics, name)


def test_kerass_metrics_of_one_value_are_not_offered():
    with pytest.raises(AttributeError, match="no metric called Mean"):
        plx.metrics.Mean


def test_a_classifier_feeds_kerass_curves():
    labels, logits = random_logits(2)
    metrics = ["AUC", {"SensitivityAtSpecificity": {"specificity": 0.5}}]
    result = classifier_metrics(2, metrics, labels, logits)
    twins = {
        "auc": keras.metrics.AUC(),
        "sensitivity_at_specificity": keras.metrics.SensitivityAtSpecificity(0.5),
    }
    for name, twin in twins.items():
        twin.update_state(labels, tf.nn.softmax(logits)[:, 1])
        assert result[name] == pytest.approx(float(twin.result()))
