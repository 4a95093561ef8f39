"""An exported model answers what `predict` does, by each model and kind of output."""

import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn

COUNT = 24
HIDDEN = [
    {"Dense": {"units": 6, "name": "first"}},
    "BatchNormalization",
    {"Dropout": {"rate": 0.5, "name": "dropout"}},
]
RNG = np.random.default_rng(5)
KINDS = RNG.integers(3, size=COUNT)
SIZES = RNG.normal(size=(COUNT, 2)).astype("float32")
SETS = RNG.integers(2, size=(COUNT, 3)).astype("float32")
HEADS = {
    "layers": [
        *HIDDEN,
        {"Dense": {"units": 3, "name": "kind", "inbound_nodes": "dropout"}},
        {"Dense": {"units": 2, "name": "size", "inbound_nodes": "dropout"}},
    ],
    "output_layers": ["kind", "size"],
}
HOURGLASS = {
    "encoder": {"layers": [*HIDDEN, {"Dense": {"units": 2}}]},
    "bridge": "LatentBridge",
    "decoder": {"layers": [{"Dense": {"units": 4, "activation": "sigmoid"}}]},
    "loss": "MeanSquaredError",
}


def graph(units):
    return {"graph": {"layers": [*HIDDEN, {"Dense": {"units": units}}]}}


CASES = {
    "one class of three": ("Classifier", graph(3), KINDS),
    "one class of two": ("Classifier", {**graph(1), "loss": "SigmoidCrossEntropy"}, KINDS % 2),
    "a set of classes": (
        "Classifier",
        {**graph(3), "loss": "SigmoidCrossEntropy", "multi_label": True},
        SETS,
    ),
    "numbers": ("Regressor", graph(2), SIZES),
    "several heads": (
        "MultiHead",
        {"graph": HEADS, "heads": {"kind": "Classifier", "size": "Regressor"}},
        {"kind": KINDS, "size": SIZES},
    ),
    "a generator": ("Generator", HOURGLASS, None),
}


@pytest.mark.parametrize("case", CASES)
def test_an_export_answers_what_predict_does(tmp_path, case):
    name, params, labels = CASES[case]
    x = RNG.uniform(size=(COUNT, 4)).astype("float32")

    def model_fn(features, labels, mode):
        part = {name: {**params, "optimizer": {"Adam": {"learning_rate": 0.1}}}}
        return plx.Component.of("models", part).build(mode=mode)(features, labels)

    run = plx.RunConfig(save_summary_steps=None, log_step_count_steps=None)
    estimator = plx.Estimator(model_fn, tmp_path / "run", run, trackers=())
    estimator.train(numpy_input_fn({"x": x}, labels, 8, None, shuffle=True, seed=1), max_steps=9)
    data = numpy_input_fn({"x": x}, None, 7, 1, shuffle=False)
    rows = list(estimator.predict(data))
    policy = tf.saved_model.load(str(estimator.export(tmp_path / "export", data)))
    served = policy.serve({"x": tf.constant(x)})
    assert served.keys() == rows[0].keys()
    for key, values in served.items():
        expected = np.stack([row[key] for row in rows])
        assert len(np.unique(expected)) > 1 or key.endswith("classes")
        np.testing.assert_allclose(values.numpy(), expected, rtol=1e-4, atol=1e-5)
