"""A classifier of every place of a sequence or an image: what is padding counts nowhere."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.errors import ComponentError

PADDING, CLASSES = 0, 5
METRICS = [
    "Accuracy",
    "Precision",
    "TruePositives",
    "StreamingAUC",
    "SparseCategoricalCrossentropy",
    {"SparseTopKCategoricalAccuracy": {"k": 2}},
]


def spec(shape=(None, CLASSES), metrics=METRICS, **params):
    """A classifier whose outputs are its features."""
    graph = plx.Graph(layers=[{"Activation": {"activation": "linear"}}])
    return plx.models.Classifier("train", graph=graph, metrics=metrics, **params)(
        {"x": keras.Input(shape, name="x")}
    )


def random_examples(shape=(6, 7)):
    """Class indices of sequences that are padded behind, and logits that favour them."""
    rng = np.random.default_rng(3)
    labels = rng.integers(1, CLASSES, shape)
    lengths = rng.integers(1, shape[1] + 1, shape[0])
    labels[np.arange(shape[1]) >= lengths[:, None]] = PADDING
    logits = rng.normal(size=(*shape, CLASSES)) + 1.5 * np.eye(CLASSES)[labels]
    return labels, logits.astype("float32")


def loss_of(spec, labels, logits):
    return float(spec.loss_fn({}, {"label": tf.constant(labels)}, tf.constant(logits)))


def metric_results(spec, labels, logits):
    spec.update_metrics({}, {"label": tf.constant(labels)}, tf.constant(logits))
    return {name: float(metric.result()) for name, metric in spec.metrics.items()}


def cross_entropies(labels, logits):
    """The naive twin: one place after the other."""
    shifted = logits - logits.max(-1, keepdims=True)
    return [
        np.log(np.exp(row).sum()) - row[label]
        for label, row in zip(labels.ravel(), shifted.reshape(-1, CLASSES), strict=True)
    ]


@pytest.mark.parametrize("one_hot", [False, True])
def test_the_loss_is_the_mean_over_what_is_no_padding(one_hot):
    labels, logits = random_examples()
    expected = np.mean(
        [
            loss
            for loss, label in zip(cross_entropies(labels, logits), labels.ravel(), strict=True)
            if label != PADDING
        ]
    )
    assert loss_of(
        spec(padding_label=PADDING, one_hot_encode=one_hot), labels, logits
    ) == pytest.approx(expected, rel=1e-5)
    assert loss_of(spec(one_hot_encode=one_hot), labels, logits) == pytest.approx(
        np.mean(cross_entropies(labels, logits)), rel=1e-5
    )
    logits[labels == PADDING] = 99 * np.eye(CLASSES)[2]
    assert loss_of(spec(padding_label=PADDING), labels, logits) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_is_a_sum_stays_one():
    labels, logits = random_examples()
    expected = sum(
        loss
        for loss, label in zip(cross_entropies(labels, logits), labels.ravel(), strict=True)
        if label != PADDING
    )
    result = loss_of(
        spec(padding_label=PADDING, loss={"SoftmaxCrossEntropy": {"reduction": "sum"}}),
        labels,
        logits,
    )
    assert result == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", ["indices", "a last axis of one", "one-hot"])
@pytest.mark.parametrize("shape", [(6, 7), (3, 4, 5)], ids=["sequences", "images"])
def test_every_place_is_an_example(form, shape):
    labels, logits = random_examples(shape)
    flat = labels.ravel(), logits.reshape(-1, CLASSES)
    labels_given = {
        "indices": labels,
        "a last axis of one": labels[..., None],
        "one-hot": np.eye(CLASSES, dtype="float32")[labels],
    }[form]
    everywhere, is_counted = (
        metric_results(spec((*shape[1:], CLASSES)), labels_given, logits),
        flat[0] != PADDING,
    )
    assert everywhere == pytest.approx(metric_results(spec((CLASSES,)), *flat), rel=1e-5)
    without = metric_results(
        spec((*shape[1:], CLASSES), padding_label=PADDING), labels_given, logits
    )
    assert without == pytest.approx(
        metric_results(spec((CLASSES,)), flat[0][is_counted], flat[1][is_counted]), rel=1e-5
    )
    assert without != everywhere
    assert loss_of(
        spec((*shape[1:], CLASSES), padding_label=PADDING), labels_given, logits
    ) == pytest.approx(
        loss_of(spec((CLASSES,)), flat[0][is_counted], flat[1][is_counted]), rel=1e-5
    )


def test_a_batch_of_padding_alone_has_no_loss():
    labels, logits = random_examples()
    assert loss_of(spec(padding_label=PADDING), np.zeros_like(labels), logits) == 0


def test_what_is_predicted_has_every_place():
    _, logits = random_examples()
    predictions = spec(padding_label=PADDING).predict_fn({}, tf.constant(logits))
    np.testing.assert_array_equal(predictions["classes"], logits.argmax(-1))
    np.testing.assert_allclose(np.sum(predictions["probabilities"], -1), 1, rtol=1e-5)


@pytest.mark.parametrize("labels", [(None, 8), (None, 7, 4), (None,), (None, 7, 1, 1)])
def test_labels_of_other_shapes(labels):
    graph = plx.Graph(layers=[{"Dense": {"units": CLASSES}}])
    model = plx.models.Classifier("train", graph=graph)
    with pytest.raises(
        ComponentError, match=r"output has shape \(None, 7, 5\), and the labels have shape"
    ):
        model({"x": keras.Input((7, 3), name="x")}, {"label": tf.TensorSpec(labels, tf.int64)})
