"""What a metric declares is what it gets, from every model; Keras's metrics get what their documentation says."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.errors import ComponentError

measures = pytest.importorskip(
    "sklearn.metrics", reason="scikit-learn is what metrics are compared with"
)


class Recorder(keras.metrics.Metric):
    """A third-party metric that keeps what it is given."""

    def __init__(self, takes=None):
        super().__init__(name="recorder")
        if takes is not None:
            self.takes = takes

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batch = np.array(y_true), np.array(y_pred)

    def result(self):
        return 0.0


def spec_of(columns, metrics, model="Classifier", shape=(), **params):
    graph = plx.Graph(layers=[{"Activation": {"activation": "linear"}}])
    features = {"x": keras.Input((*shape, columns), name="x")}
    return getattr(plx.models, model)("eval", graph=graph, metrics=metrics, **params)(features)


def batch_of(takes, labels, outputs, **params):
    metric = Recorder(takes)
    spec_of(outputs.shape[-1], [metric], **params).update_metrics(
        {}, tf.constant(labels), tf.constant(outputs)
    )
    return metric.batch


LOGITS = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")
LABELS = np.array([0, 2, 1, 1, 0, 2])
SETS = np.array([[0, 0, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]], "float32")


@pytest.mark.parametrize("takes", [None, "probabilities", "logits", "classes"])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_one_class_each(takes, columns):
    labels, logits = LABELS % max(2, columns), LOGITS[:, :columns]
    loss = "SigmoidCrossEntropy" if columns == 1 else "SoftmaxCrossEntropy"
    y_true, y_pred = batch_of(takes, labels, logits, loss=loss)
    odds = (tf.sigmoid if columns == 1 else tf.nn.softmax)(logits).numpy()
    if takes == "classes":
        np.testing.assert_array_equal(y_true, labels)
        decided = logits[:, 0] > 0 if columns == 1 else logits.argmax(-1)
        np.testing.assert_array_equal(y_pred, decided)
        assert y_pred.dtype == y_true.dtype == np.int32
        return
    np.testing.assert_array_equal(y_true, np.eye(max(2, columns))[labels][:, -columns:])
    np.testing.assert_allclose(y_pred, logits if takes == "logits" else odds, rtol=1e-6)


@pytest.mark.parametrize("takes", [None, "probabilities", "logits", "classes"])
def test_sets_of_classes(takes):
    y_true, y_pred = batch_of(takes, SETS, LOGITS, loss="SigmoidCrossEntropy")
    np.testing.assert_array_equal(y_true, SETS)
    expected = {"logits": LOGITS, "classes": LOGITS > 0}.get(takes, tf.sigmoid(LOGITS))
    np.testing.assert_allclose(y_pred, expected, rtol=1e-6)


def test_each_position_is_an_example():
    labels, logits = LABELS.reshape(2, 3), LOGITS.reshape(2, 3, 3)
    y_true, y_pred = batch_of("classes", labels, logits, shape=(3,))
    np.testing.assert_array_equal(y_true, LABELS)
    np.testing.assert_array_equal(y_pred, LOGITS.argmax(-1))


def test_a_head_of_several_passes_on_what_its_metrics_declare():
    metric = Recorder("classes")
    heads = {
        "kind": plx.models.Classifier("eval", metrics=[metric]),
        "size": plx.models.Regressor("eval"),
    }
    layers = [
        {"Dense": {"units": 3, "name": "kind", "inbound_nodes": "x"}},
        {"Dense": {"units": 1, "name": "size", "inbound_nodes": "x"}},
    ]
    graph = plx.Graph(layers=layers, output_layers=["kind", "size"])
    spec = plx.models.MultiHead("eval", graph=graph, heads=heads)(
        {"x": keras.Input((2,), name="x")}
    )
    labels = {"kind": tf.constant(LABELS), "size": tf.zeros(6)}
    spec.update_metrics({}, labels, {"kind": tf.constant(LOGITS), "size": tf.zeros((6, 1))})
    np.testing.assert_array_equal(metric.batch[1], LOGITS.argmax(-1))


@pytest.mark.parametrize(
    ("model", "metric", "params", "message"),
    [
        ("Classifier", Recorder("odds"), {}, "declares takes = 'odds'; expected one of"),
        (
            "Classifier",
            Recorder("logits"),
            {"loss": "SparseCategoricalCrossentropy"},
            "takes logits, and the loss sparse_categorical_crossentropy takes probabilities",
        ),
        ("Classifier", keras.metrics.Mean(), {}, "the metric mean takes one value"),
        ("Regressor", Recorder("classes"), {}, "takes classes, and a Regressor predicts numbers"),
    ],
)
def test_what_a_model_cannot_give_is_refused(model, metric, params, message):
    with pytest.raises(ComponentError, match=message):
        spec_of(3, [metric], model, **params)


@pytest.mark.parametrize("takes", [None, "probabilities", "logits"])
def test_a_generator_gives_its_output_before_or_after_the_sigmoid(takes):
    metric = Recorder(takes)
    spec = plx.models.Generator(
        "eval",
        encoder_fn=lambda mode, x: x,
        decoder_fn=lambda mode, x: keras.layers.Identity()(x),
        loss="SigmoidCrossEntropy",
        metrics=[metric],
    )({"x": keras.Input((3,), name="x")})
    outputs = spec.network({"x": tf.constant(LOGITS)})
    spec.update_metrics({"x": tf.constant(LOGITS)}, None, outputs)
    expected = LOGITS if takes == "logits" else tf.sigmoid(LOGITS)
    np.testing.assert_allclose(metric.batch[1], expected, rtol=1e-6)
