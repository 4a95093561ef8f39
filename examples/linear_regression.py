"""Fit a straight line to noisy points: the smallest experiment there is.

Run it with `python examples/linear_regression.py`.
"""

import sys

import numpy as np

import plx_core as plx

SLOPE = 2

rng = np.random.default_rng(0)
x = np.linspace(-1, 1, 100, dtype="float32")
y = (SLOPE * x + rng.normal(scale=0.33, size=x.shape)).astype("float32")


def graph_fn(mode, features):
    return plx.layers.Dense(units=1)(features["x"])


def model_fn(features, labels, mode):
    model = plx.models.Regressor(
        mode,
        graph_fn=graph_fn,
        loss="MeanSquaredError",
        optimizer=plx.optimizers.SGD(learning_rate=0.05),
        summaries="all",
    )
    return model(features, labels)


def points(num_epochs):
    """Return an input_fn with all points in one batch; `num_epochs=None` repeats it forever."""
    return plx.inputs.numpy_input_fn(
        {"x": x[:, None]}, y, batch_size=len(x), num_epochs=num_epochs, shuffle=False
    )


def main(model_dir="runs/linear_regression"):
    estimator = plx.Estimator(model_fn, model_dir)
    estimator.train(points(num_epochs=None), max_steps=500)
    metrics = estimator.evaluate(points(num_epochs=1))
    slope = estimator.get_variable_value("dense/kernel")[0, 0]
    print(f"slope {slope:.2f} (true slope {SLOPE}), loss {metrics['loss']:.3f}")
    return slope


if __name__ == "__main__":
    main(*sys.argv[1:])
