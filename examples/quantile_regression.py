"""Predict a range instead of a number: a model function that builds its own EstimatorSpec.

The network gives three quantiles of the progression of diabetes, trained with the pinball loss
(Koenker and Bassett 1978). No installed model has this loss over these outputs, so the model
function says itself what is minimised, measured and predicted.

Run it with `python examples/quantile_regression.py`; it needs scikit-learn for the data.
"""

import sys

import keras
import numpy as np
from keras import ops
from sklearn.datasets import load_diabetes

import plx_core as plx

QUANTILES = (0.1, 0.5, 0.9)


def pinball_loss(features, labels, outputs):
    """Return the mean pinball loss of the outputs, float [batch, quantiles]."""
    error = labels[:, None] - outputs
    quantiles = ops.convert_to_tensor(QUANTILES, dtype=outputs.dtype)
    return ops.mean(ops.maximum(quantiles * error, (quantiles - 1) * error))


def model_fn(features, labels, mode):
    hidden = plx.layers.Dense(units=32, activation="relu")(features["patient"])
    outputs = plx.layers.Dense(units=len(QUANTILES), bias_initializer="ones")(hidden)
    coverage = keras.metrics.Mean(name="coverage")

    def update_metrics(features, labels, outputs):
        inside = (outputs[:, 0] <= labels) & (labels <= outputs[:, -1])
        coverage.update_state(ops.cast(inside, "float32"))

    return plx.EstimatorSpec(
        mode=mode,
        network=keras.Model(features, outputs),
        loss_fn=pinball_loss,
        optimizer=plx.optimizers.Adam(learning_rate=0.005),
        metrics={"coverage": coverage},
        update_metrics=update_metrics,
        predict_fn=lambda features, outputs: {"quantiles": outputs},
    )


def patients(rows, **params):
    """Return an input_fn for some rows of the data; the label is the progression in hundreds."""
    data = load_diabetes(scaled=True)
    measurements = data.data[rows].astype("float32") * 21  # to a standard deviation of 1
    progression = data.target[rows].astype("float32") / 100
    return plx.inputs.numpy_input_fn(
        {"patient": measurements}, progression, batch_size=32, **params
    )


def main(model_dir="runs/quantile_regression", train_steps=300):
    held_out = np.arange(442) % 5 == 0
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=patients(~held_out, num_epochs=None, shuffle=True, seed=7),
        eval_input_fn=patients(held_out, shuffle=False),
        train_steps=int(train_steps),
    )
    metrics, _ = experiment.train_and_evaluate()
    first = next(iter(experiment.predict(["quantiles"])))["quantiles"]
    print(f"first patient: between {first[0]:.2f} and {first[-1]:.2f}, median {first[1]:.2f}")
    print(f"{metrics['coverage']:.0%} of the held-out patients are inside their range of 80%")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
