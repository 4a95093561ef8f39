"""The experiment of diabetes.yml in Python: how far diabetes went in a year, from ten measurements of each of 442 people.

Run it with `python examples/diabetes.py`.
"""

import sys

import numpy as np
from sklearn.datasets import load_diabetes

import plx_core as plx


def graph_fn(mode, features):
    x = plx.layers.Rescaling(scale=21)(features["patient"])
    x = plx.layers.Dense(
        units=32, activation="relu", kernel_regularizer=plx.regularizers.L2(l2=0.1)
    )(x)
    return plx.layers.Dense(units=1, bias_initializer=plx.initializers.Constant(value=150))(x)


def model_fn(features, labels, mode):
    model = plx.models.Regressor(
        mode,
        graph_fn=graph_fn,
        loss=plx.configs.MeanSquaredErrorConfig(),
        optimizer=plx.configs.AdamConfig(learning_rate=0.01),
        metrics=["RootMeanSquaredError", "MeanAbsoluteError"],
    )
    return model(features, labels)


def patients(places, **params):
    """An input_fn for some of the people."""
    data = load_diabetes(scaled=True)
    x, y = data.data[places].astype("float32"), data.target[places].astype("float32")
    return plx.inputs.numpy_input_fn({"patient": x}, y, batch_size=32, **params)


def main(model_dir="runs/diabetes", train_steps=1000):
    is_held_out = np.arange(442) % 5 == 0
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=patients(~is_held_out, num_epochs=None, shuffle=True, seed=7),
        eval_input_fn=patients(is_held_out, shuffle=False),
        train_steps=int(train_steps),
    )
    metrics = experiment.train_and_evaluate()
    print(f"off by {metrics['mean_absolute_error']:.1f} on average, where 25 to 346 is the range")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
