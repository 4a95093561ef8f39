"""Steps per second of training: plx, Keras `fit`, a loop written by hand, and PyTorch.

plx is measured through its public interface, with metrics, summaries and checkpoints at their
defaults; `plx-auto` also has `xla: auto`, whose trial is part of the warm-up. The peers shuffle and
measure accuracy too, but neither save nor write summaries. Each side reports the loss that it
reached on the same data, so that the work can be compared.
"""

import argparse
import json
import os
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WORKLOADS = {
    "mlp": {"batch": 32, "warm": 500, "steps": 3000, "per_call": 50},
    "lenet": {"batch": 64, "warm": 100, "steps": 300, "per_call": 20},
}
VARIANTS = ("fit", "fit-best", "loop", "torch", "torch-channels-last")


def make_data(workload):
    import numpy as np

    rng = np.random.default_rng(0)
    if workload == "lenet":
        y = rng.integers(0, 10, 8192)
        x = rng.random((8192, 28, 28, 1)) * 0.5 + y[:, None, None, None] * 0.05
        return x.astype("float32"), y
    x = rng.random((8192, 20), dtype="float32")
    return x, (x[:, 0] > x[:, 1]).astype("int64")


def make_layers(workload):
    from keras import layers

    if workload == "mlp":
        return [
            layers.Dense(64, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    return [
        layers.Conv2D(32, 5),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 5),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(1024, activation="tanh"),
        layers.Dense(10),
    ]


def run_plx(workload, settings, xla=False):
    import plx_core as plx

    x, y = make_data(workload)

    def model_fn(features, labels, mode):
        model = plx.models.Classifier(
            mode,
            graph=plx.Graph(layers=make_layers(workload)),
            loss=sparse_loss(),
            optimizer={"Adam": {"learning_rate": 1e-3}},
            metrics=["Accuracy"],
        )
        return model(features, labels)

    input_fn = plx.inputs.numpy_input_fn(
        {"x": x}, y, batch_size=settings["batch"], num_epochs=None, shuffle=True
    )
    with tempfile.TemporaryDirectory() as folder:
        estimator = plx.Estimator(model_fn, folder, plx.EnvironmentConfig(xla=xla))
        estimator.train(input_fn, steps=settings["warm"])
        start = time.perf_counter()
        estimator.train(input_fn, steps=settings["steps"])
        seconds = time.perf_counter() - start
        loss = estimator.evaluate(
            plx.inputs.numpy_input_fn({"x": x}, y, batch_size=512, num_epochs=1, shuffle=False)
        )["loss"]
    return seconds, loss


def sparse_loss():
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def run_keras(workload, settings, variant):
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    x, y = make_data(workload)
    network = keras.Sequential([keras.Input(x.shape[1:]), *make_layers(workload)])
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x)).repeat()
    data = data.batch(settings["batch"], drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    if variant == "loop":
        train = by_hand(network, data)
    else:
        train = by_fit(network, data, settings["per_call"] if variant == "fit-best" else 1)
    train(settings["warm"])
    start = time.perf_counter()
    train(settings["steps"])
    seconds = time.perf_counter() - start
    return seconds, float(sparse_loss()(y, network.predict(x, batch_size=512, verbose=0)))


def by_fit(network, data, per_call):
    import keras

    network.compile(
        keras.optimizers.Adam(1e-3),
        sparse_loss(),
        metrics=["accuracy"],
        steps_per_execution=per_call,
    )
    return lambda steps: network.fit(data, steps_per_epoch=steps, verbose=0)


def by_hand(network, data):
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(1e-3)
    loss_fn = sparse_loss()
    accuracy = keras.metrics.SparseCategoricalAccuracy()
    optimizer.build(network.trainable_variables)
    iterator = iter(data)

    @tf.function
    def train(count):
        for _ in tf.range(count):
            features, labels = next(iterator)
            with tf.GradientTape() as tape:
                logits = network(features, training=True)
                loss = loss_fn(labels, logits)
            optimizer.apply(
                tape.gradient(loss, network.trainable_variables), network.trainable_variables
            )
            accuracy.update_state(labels, logits)
        return accuracy.result()

    return lambda steps: train(tf.constant(steps)).numpy()


def run_torch(settings, channels_last):
    """Train LeNet on the same data, with PyTorch's own initial weights."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    images, labels = make_data("lenet")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    y = torch.from_numpy(labels)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1024, 1024),
        nn.Tanh(),
        nn.Linear(1024, 10),
    )
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss_fn = nn.CrossEntropyLoss()

    def train(steps):
        correct = 0
        for _ in range(steps):
            rows = torch.randint(0, len(x), (settings["batch"],))
            logits = network(x[rows])
            loss = loss_fn(logits, y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            correct += int((logits.argmax(1) == y[rows]).sum())
        return correct

    train(settings["warm"])
    start = time.perf_counter()
    train(settings["steps"])
    seconds = time.perf_counter() - start
    with torch.no_grad():
        batches = zip(x.split(512), y.split(512), strict=True)
        losses = [loss_fn(network(images), labels) for images, labels in batches]
    return seconds, float(sum(losses) / len(losses))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("workload", choices=tuple(WORKLOADS))
    parser.add_argument(
        "--only", choices=("plx", "plx-auto", *VARIANTS), required=True, help="the side"
    )
    parser.add_argument("--quick", action="store_true", help="do a third of the work")
    args = parser.parse_args()
    settings = dict(WORKLOADS[args.workload])
    if args.quick:
        settings["steps"] //= 3
    if args.only.startswith("plx"):
        xla = "auto" if args.only == "plx-auto" else False
        seconds, loss = run_plx(args.workload, settings, xla)
    elif args.only.startswith("torch"):
        seconds, loss = run_torch(settings, args.only.endswith("last"))
    else:
        seconds, loss = run_keras(args.workload, settings, args.only)
    print(json.dumps({"rate": settings["steps"] / seconds, "loss": loss}))


if __name__ == "__main__":
    main()
