"""A straight line through noisy points: the smallest experiment there is.

Run it with `python examples/linear_regression.py`.
"""

import sys

import numpy as np

import plx_core as plx

rng = np.random.default_rng(0)
x = np.linspace(-1, 1, 100).astype("float32")
y = (2 * x + rng.normal(size=x.shape) * 0.33).astype("float32")


def graph_fn(mode, features):
    return plx.layers.Dense(units=1)(features["x"])


def model_fn(features, labels, mode):
    model = plx.models.Regressor(
        mode,
        graph_fn=graph_fn,
        loss=plx.configs.MeanSquaredErrorConfig(),
        optimizer=plx.configs.SGDConfig(learning_rate=0.05),
        summaries="all",
    )
    return model(features, labels)


def main(model_dir="runs/linear_regression"):
    estimator = plx.Estimator(model_fn, model_dir=model_dir)
    estimator.train(
        plx.inputs.numpy_input_fn(
            {"x": x[:, None]}, y, batch_size=len(x), num_epochs=None, shuffle=False
        ),
        max_steps=500,
    )
    metrics = estimator.evaluate(
        plx.inputs.numpy_input_fn(
            {"x": x[:, None]}, y, batch_size=len(x), num_epochs=1, shuffle=False
        )
    )
    slope = estimator.get_variable_value("dense/kernel")[0, 0]
    print(f"the slope is {slope:.2f}, the loss {metrics['loss']:.3f}")
    return slope


if __name__ == "__main__":
    main(*sys.argv[1:])
