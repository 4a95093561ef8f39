"""The experiment of time_series.yml in Python: the next value of a series from the ten before it, read by an LSTM.

Run it with `python examples/time_series.py`.
"""

import sys

import numpy as np

import plx_core as plx

t = np.arange(1010)
series = (np.sin(t / 5) * np.cos(t / 17)).astype("float32")
windows = np.lib.stride_tricks.sliding_window_view(series, 11)


def graph_fn(mode, features):
    x = plx.layers.Reshape(target_shape=(10, 1))(features["window"])
    x = plx.layers.LSTM(units=16)(x)
    return plx.layers.Dense(units=1)(x)


def model_fn(features, labels, mode):
    model = plx.models.Regressor(
        mode,
        graph_fn=graph_fn,
        loss=plx.configs.MeanSquaredErrorConfig(),
        optimizer=plx.configs.AdamConfig(learning_rate=0.01),
        metrics=["RootMeanSquaredError", "MeanAbsoluteError"],
    )
    return model(features, labels)


def part(rows, **params):
    """An input_fn for some of the windows."""
    return plx.inputs.numpy_input_fn({"window": rows[:, :10]}, rows[:, 10], batch_size=64, **params)


def main(model_dir="runs/time_series", train_steps=600):
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=part(windows[:800], num_epochs=None, shuffle=True, seed=7),
        eval_input_fn=part(windows[800:], shuffle=False),
        train_steps=int(train_steps),
    )
    metrics = experiment.train_and_evaluate()
    print(f"off by {metrics['mean_absolute_error']:.4f} on average")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
