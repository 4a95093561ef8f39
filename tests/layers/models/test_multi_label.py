"""Examples with sets of classes, and what decides between one class and a set: the loss, the model, never a name."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import ComponentError

measures = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is what metrics are compared with"
)

CLASSES = 5


def random_sets(count=120):
    """Features, and for each class whether an example has it; some examples have none."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(count, 6)).astype("float32")
    scores = x @ rng.normal(size=(6, CLASSES)) + rng.normal(size=(count, CLASSES))
    return x, (scores > 1.0).astype("float32")


def spec_of(loss, outputs=CLASSES, metrics=(), labels=None, **params):
    """The specification of a classifier whose outputs are its features."""
    graph = plx.Graph(layers=["Flatten"])
    model = plx.models.Classifier("eval", graph=graph, loss=loss, metrics=list(metrics), **params)
    return model({"x": keras.Input((outputs,), name="x")}, labels)


class Asymmetric(keras.losses.Loss):
    """A plug-in's loss that declares nothing."""

    def __init__(self, name="asymmetric"):
        super().__init__(name=name)

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1)


class Declared(Asymmetric):
    """A plug-in's loss of independent classes."""

    multi_label = True


class Exclusive(Asymmetric):
    """A plug-in's loss of classes that exclude each other, whatever it is called."""

    multi_label = False


def test_a_run_measures_and_predicts_sets_of_classes(tmp_path):
    x, y = random_sets()
    names = [
        "Accuracy",
        "BinaryAccuracy",
        "StreamingAUC",
        "Precision",
        "Recall",
        "TruePositives",
        {"F1Score": {"average": "micro"}},
        {"F1Score": {"average": "macro", "name": "f1_macro"}},
        {"Precision": {"class_id": 2, "name": "precision_of_one"}},
    ]

    def model_fn(features, labels, mode):
        graph = plx.Graph(layers=[{"Dense": {"units": CLASSES}}])
        return plx.models.Classifier(
            mode,
            graph=graph,
            loss="SigmoidCrossEntropy",
            optimizer={"Adam": {"learning_rate": 0.05}},
            metrics=names,
        )(features, labels)

    run = plx.RunConfig(save_summary_steps=None, log_step_count_steps=None)
    estimator = plx.Estimator(model_fn, tmp_path, run, trackers=())
    estimator.train(numpy_input_fn({"x": x}, y, 40, None, shuffle=True, seed=1), max_steps=10)
    held_out = numpy_input_fn({"x": x}, y, 32, shuffle=False)
    result = estimator.evaluate(held_out)
    rows = list(estimator.predict(held_out))
    sets, odds = (np.stack([row[name] for row in rows]) for name in ("classes", "probabilities"))
    np.testing.assert_array_equal(sets, odds > 0.5)
    assert len({*sets.sum(axis=1)}) > 2  # sets of several sizes
    expected = {
        "accuracy": measures.accuracy_score(y, sets),
        "binary_accuracy": 1 - measures.hamming_loss(y, sets),
        "precision": measures.precision_score(y, sets, average="micro"),
        "recall": measures.recall_score(y, sets, average="micro"),
        "true_positives": (y * sets).sum(),
        "f1_score": measures.f1_score(y, sets, average="micro"),
        "f1_macro": measures.f1_score(y, sets, average="macro"),
        "precision_of_one": measures.precision_score(y[:, 2], sets[:, 2]),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert result["streaming_auc"] == pytest.approx(
        measures.roc_auc_score(y, odds, average="micro"), abs=1e-3
    )
    exported = tf.saved_model.load(str(estimator.export(tmp_path / "export", held_out)))
    np.testing.assert_array_equal(exported.serve({"x": tf.constant(x)})["classes"], sets)


@pytest.mark.parametrize(
    ("loss", "params", "activation"),
    [
        (Declared("softmax_like"), {}, tf.sigmoid),
        (Exclusive("binary_like"), {}, tf.nn.softmax),
        (Asymmetric(), {"multi_label": True}, tf.sigmoid),
        (Asymmetric("binary_like"), {"multi_label": False}, tf.nn.softmax),
        ({"Weighted": {"loss": Declared()}}, {}, tf.sigmoid),
        (Declared(), {"multi_label": False}, tf.sigmoid),
        ("BinaryFocalCrossentropy", {}, tf.identity),
        ({"CategoricalFocalCrossentropy": {"from_logits": True}}, {}, tf.nn.softmax),
    ],
)
def test_softmax_or_sigmoid_is_declared_and_not_read_from_a_name(loss, params, activation):
    outputs = tf.constant([[0.2, 0.8, 0.1, 0.3, 0.4]])
    predictions = spec_of(loss, **params).predict_fn({}, outputs)
    np.testing.assert_allclose(predictions["probabilities"], activation(outputs), rtol=1e-6)


def test_one_class_each_with_independent_probabilities():
    outputs = tf.constant([[-2.0, -1.0, -3.0, -4.0, -5.0]])
    predictions = spec_of("SigmoidCrossEntropy", one_hot_encode=True).predict_fn({}, outputs)
    assert predictions["classes"].numpy().tolist() == [1]
    np.testing.assert_allclose(predictions["probabilities"], tf.sigmoid(outputs))


@pytest.mark.parametrize(
    ("loss", "params", "message"),
    [
        (
            Asymmetric(),
            {},
            "the loss asymmetric does not say whether classes exclude each other: set multi_label",
        ),
        (Asymmetric("binary_like"), {"one_hot_encode": True}, "the loss binary_like does not say"),
        ({"Weighted": {"loss": Asymmetric()}}, {}, "the loss asymmetric does not say"),
        ("MeanSquaredError", {}, "the loss mean_squared_error does not say"),
        ("SoftmaxCrossEntropy", {"multi_label": True}, "take a loss of independent classes"),
        (
            "SigmoidCrossEntropy",
            {"multi_label": True, "one_hot_encode": True},
            "one_hot_encode is for labels that are class indices",
        ),
        ("SigmoidCrossEntropy", {"padding_label": 0}, "padding_label is a class index"),
        ("SoftmaxCrossEntropy", {"outputs": 1}, "and the graph has one output"),
        (
            "SigmoidCrossEntropy",
            {"labels": tf.TensorSpec([None], tf.int64)},
            r"labels have shape \(None,\); with multi_label, a label has a column for each class",
        ),
        (
            {"Weighted": {"loss": "MeanSquaredError"}},
            {"multi_label": False, "labels": tf.TensorSpec([None], tf.int64)},
            r"compares a column for each class, and labels of shape \(None,\) are class indices",
        ),
        (
            "BinaryCrossentropy",
            {"multi_label": False, "labels": tf.TensorSpec([None, 1], tf.int64)},
            r"labels of shape \(None, 1\) are class indices: set one_hot_encode",
        ),
        ("SigmoidCrossEntropy", {"metrics": ["CategoricalAccuracy"]}, "is for examples of one"),
        ("SigmoidCrossEntropy", {"metrics": [{"MeanIoU": {"num_classes": 5}}]}, "of one class"),
        (
            "BinaryCrossentropy",
            {"metrics": [{"AUC": {"from_logits": True}}]},
            "the metric auc takes logits, and the loss binary_crossentropy takes probabilities",
        ),
    ],
)
def test_what_cannot_be_known_or_measured_is_refused(loss, params, message):
    with pytest.raises(ComponentError, match=message):
        spec_of(loss, **params)


def test_sets_at_every_position():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (4, 3, CLASSES)).astype("float32")
    logits = rng.normal(size=labels.shape).astype("float32")
    graph = plx.Graph(layers=[{"Activation": {"activation": "linear"}}])
    spec = plx.models.Classifier(
        "eval", graph=graph, loss="SigmoidCrossEntropy", metrics=["Accuracy", "Recall"]
    )({"x": keras.Input((3, CLASSES), name="x")}, tf.TensorSpec([None, 3, CLASSES]))
    spec.update_metrics({}, tf.constant(labels), tf.constant(logits))
    flat, sets = labels.reshape(-1, CLASSES), logits.reshape(-1, CLASSES) > 0
    assert float(spec.metrics["accuracy"].result()) == pytest.approx(
        measures.accuracy_score(flat, sets)
    )
    assert float(spec.metrics["recall"].result()) == pytest.approx(
        measures.recall_score(flat, sets, average="micro")
    )
    assert spec.predict_fn({}, tf.constant(logits))["classes"].shape == labels.shape
