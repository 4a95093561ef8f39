"""Models of several outputs: totals by hand, heads' metrics and labels, what is predicted and exported, mistakes with their places."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import ConfigError

GRAPH = {
    "layers": [
        {"Dense": {"units": 3, "name": "kind", "inbound_nodes": "x"}},
        {"Dense": {"units": 1, "name": "size", "inbound_nodes": "x"}},
    ],
    "output_layers": ["kind", "size"],
}
LOGITS = np.array([[0.0, 0.0, 0.0], [0.0, math.log(2.0), 0.0]], "float32")
OUTPUTS = {"kind": tf.constant(LOGITS), "size": tf.constant([[1.0], [4.0]])}
LABELS = {"kind": tf.constant([1, 1]), "size": tf.constant([2.0, 2.0])}
CROSS_ENTROPY = (math.log(3.0) + math.log(2.0)) / 2


def two_headed(mode="train", **params):
    heads = {
        "kind": plx.models.Classifier(mode, metrics=["Accuracy"]),
        "size": plx.models.Regressor(mode, metrics=["MeanAbsoluteError"]),
    }
    return plx.models.MultiHead(mode, **{"graph": plx.Graph(**GRAPH), "heads": heads, **params})


def symbolic():
    return {"x": keras.Input((2,), name="x")}


def plain(values):
    return {name: float(value) for name, value in values.items()}


def test_each_heads_loss_and_the_weighted_total():
    spec = two_headed(loss_weights={"size": 0.5})(
        symbolic(), {name: tf.TensorSpec([None]) for name in LABELS}
    )
    assert plain(spec.loss_fn({}, LABELS, OUTPUTS)) == pytest.approx(
        {"kind": CROSS_ENTROPY, "size": 0.5 * 2.5}
    )
    spec.update_metrics({}, LABELS, OUTPUTS)
    result = plain({name: metric.result() for name, metric in spec.metrics.items()})
    assert result == pytest.approx(
        {
            "kind/loss": CROSS_ENTROPY,
            "kind/accuracy": 0.5,
            "size/loss": 2.5,
            "size/mean_absolute_error": 1.5,
        }
    )


def test_losses_are_means_over_examples_where_batches_differ_in_size():
    spec = two_headed()(symbolic())
    spec.update_metrics({}, LABELS, OUTPUTS)
    one = ({name: value[:1] for name, value in group.items()} for group in (LABELS, OUTPUTS))
    spec.update_metrics({}, *one)
    assert float(spec.metrics["size/loss"].result()) == pytest.approx((1 + 4 + 1) / 3)


def test_predictions_are_named_after_the_head():
    spec = two_headed("predict")(symbolic())
    predictions = spec.predict_fn({}, OUTPUTS)
    assert list(predictions) == [
        "kind/logits",
        "kind/probabilities",
        "kind/classes",
        "size/results",
    ]
    assert predictions["kind/classes"].numpy().tolist() == [0, 1]


def test_a_head_learns_the_label_that_it_names():
    heads = {
        "kind": plx.models.Classifier("train", label="species"),
        "size": plx.models.Regressor("train", label="length"),
    }
    labels = {"length": LABELS["size"], "species": LABELS["kind"]}
    spec = two_headed(heads=heads)(symbolic(), {name: tf.TensorSpec([None]) for name in labels})
    assert plain(spec.loss_fn({}, labels, OUTPUTS)) == pytest.approx(
        {"kind": CROSS_ENTROPY, "size": 2.5}
    )


def test_a_model_of_one_output_picks_among_several_labels_too():
    labels = {"a": tf.constant([[1.0]]), "b": tf.constant([[3.0]])}
    spec = plx.models.Regressor("train", graph=plx.Graph(layers=["Flatten"]), label="b")(
        {"x": keras.Input((1,), name="x")}, labels
    )
    assert float(spec.loss_fn({}, labels, tf.constant([[0.0]]))) == 9.0


def test_weights_can_stop_a_head_from_teaching_the_rest(tmp_path):
    """A loss weight of 0 leaves the head's own layer as it was made."""
    x = np.random.default_rng(0).normal(size=(32, 2)).astype("float32")
    labels = {"kind": np.arange(32) % 3, "size": x.sum(axis=1)}

    def model_fn(features, labels, mode):
        return two_headed(
            mode, optimizer={"SGD": {"learning_rate": 0.1}}, loss_weights={"size": 0.0}
        )(features, labels)

    run = plx.RunConfig(
        save_summary_steps=None, save_checkpoints_steps=1000, log_step_count_steps=5
    )
    estimator = plx.Estimator(model_fn, tmp_path, run, trackers=())
    feed = numpy_input_fn({"x": x}, labels, batch_size=32, num_epochs=None, shuffle=False)
    before = estimator.train(feed, max_steps=1).get_variable_value("size/kernel")
    estimator.train(feed, max_steps=6)
    np.testing.assert_array_equal(estimator.get_variable_value("size/kernel"), before)
    metrics = estimator.evaluate(numpy_input_fn({"x": x}, labels, batch_size=7, shuffle=False))
    assert metrics["loss"] == pytest.approx(metrics["kind/loss"], rel=1e-5)
    path = estimator.export(tmp_path / "saved", feed)
    module = tf.saved_model.load(str(path))
    served = module.serve({"x": tf.constant(x)})
    rows = list(estimator.predict(numpy_input_fn({"x": x}, batch_size=8, shuffle=False)))
    np.testing.assert_allclose(
        served["size/results"], np.stack([row["size/results"] for row in rows]), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"heads": {"knid": plx.configs.ClassifierConfig()}}, "heads.knid: the graph has no such output; did you mean kind"),
        ({"heads": {"kind": plx.configs.ClassifierConfig()}}, "heads: size is missing: each output has a head"),
        ({"loss_weights": {"sise": 1.0}}, "loss_weights.sise: there is no such head; did you mean size"),
        ({"heads": {"kind": {"Classifier": {"optimizer": "SGD"}}, "size": "Regressor"}}, "heads.kind: a head takes no optimizer: set it on the MultiHead"),
        ({"heads": {"kind": "Classifier", "size": {"Regressor": {"graph": {"layers": ["Flatten"]}}}}}, "heads.size: a head takes no graph: set it on the MultiHead"),
        ({"heads": {"kind": {"Classifier": {"n_classes": 4}}, "size": "Regressor"}}, "heads.kind: the graph's output has shape .*n_classes is 4"),
        ({"heads": {"kind": {"Classifier": {"label": "knid"}}, "size": "Regressor"}}, "heads.kind: label: there is no label called knid; did you mean kind"),
    ],
)  # fmt: skip
def test_mistakes_say_which_head(params, message):
    from plx_core.components.component import make

    if "heads" in params:
        params = {
            "heads": {
                name: make("models", head, mode="train") for name, head in params["heads"].items()
            }
        }
    with pytest.raises(ConfigError, match=message):
        two_headed(**params)(symbolic(), {name: tf.TensorSpec([None]) for name in LABELS})


def test_one_output_is_not_enough():
    with pytest.raises(
        plx.errors.ComponentError,
        match="names two or more output_layers; its heads are kind, size",
    ):
        two_headed(graph=plx.Graph(layers=["Flatten"]))(symbolic())
