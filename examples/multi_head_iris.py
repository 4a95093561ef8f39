"""The experiment of multi_head_iris.yml in Python: two things learnt by one network about scikit-learn's irises.

Run it with `python examples/multi_head_iris.py`.
"""

import sys

import numpy as np
from sklearn.datasets import load_iris

import plx_core as plx


def graph_fn(mode, features):
    x = plx.layers.Dense(units=32, activation="relu")(features["flower"])
    x = plx.layers.Dense(units=32, activation="relu")(x)
    return {"species": plx.layers.Dense(units=3)(x), "sepal_length": plx.layers.Dense(units=1)(x)}


def model_fn(features, labels, mode):
    model = plx.models.MultiHead(
        mode,
        graph_fn=graph_fn,
        heads={
            "species": plx.models.Classifier(
                mode, loss="SoftmaxCrossEntropy", metrics=["Accuracy"]
            ),
            "sepal_length": plx.models.Regressor(
                mode, loss="MeanSquaredError", metrics=["MeanAbsoluteError"]
            ),
        },
        loss_weights={"sepal_length": 0.5},
        optimizer=plx.configs.AdamConfig(learning_rate=0.003),
    )
    return model(features, labels)


def irises(places, **params):
    """An input_fn for some of the flowers."""
    iris = load_iris()
    flowers = iris.data[places].astype("float32")
    labels = {"species": iris.target[places], "sepal_length": flowers[:, 0]}
    return plx.inputs.numpy_input_fn({"flower": flowers[:, 1:]}, labels, **params)


def main(model_dir="runs/multi_head_iris", train_steps=600):
    is_held_out = np.arange(150) % 5 == 0
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=irises(~is_held_out, batch_size=32, num_epochs=None, shuffle=True, seed=7),
        eval_input_fn=irises(is_held_out, batch_size=30, shuffle=False),
        train_steps=int(train_steps),
    )
    metrics = experiment.train_and_evaluate()
    print(
        f"species: {metrics['species/accuracy']:.3f} right; sepals: off by {metrics['sepal_length/mean_absolute_error']:.2f} cm"
    )
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
