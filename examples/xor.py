"""The experiment of xor.yml in Python: exclusive or, which no straight line can tell.

Run it with `python examples/xor.py`.
"""

import sys

import numpy as np

import plx_core as plx

x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype="float32")
y = np.array([0, 1, 1, 0])


def graph_fn(mode, features):
    hidden = plx.layers.Dense(units=8, activation="tanh")(features["inputs"])
    return plx.layers.Dense(units=1)(hidden)


def model_fn(features, labels, mode):
    model = plx.models.Classifier(
        mode,
        graph_fn=graph_fn,
        loss="SigmoidCrossEntropy",
        optimizer=plx.configs.AdamConfig(learning_rate=0.03),
        metrics=["Accuracy"],
    )
    return model(features, labels)


def main(model_dir="runs/xor", train_steps=400):
    experiment = plx.Experiment(
        estimator=plx.Estimator(model_fn, model_dir, plx.RunConfig(seed=7)),
        train_input_fn=plx.inputs.numpy_input_fn(
            {"inputs": x}, y, batch_size=4, num_epochs=None, shuffle=True, seed=7
        ),
        eval_input_fn=plx.inputs.numpy_input_fn({"inputs": x}, y, batch_size=4, shuffle=False),
        train_steps=int(train_steps),
    )
    metrics = experiment.train_and_evaluate()
    for pair, prediction in zip(x, experiment.predict(["classes"]), strict=True):
        print(f"{pair[0]:.0f} xor {pair[1]:.0f} is {prediction['classes']}")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
