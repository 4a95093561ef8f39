"""Steps per second of training: plx, Keras `fit`, and a loop written by hand, in turns and in processes of their own.

Run it with `python benchmarks/keras_fit.py [mlp|lenet] [--turns 5]`. plx is measured through its public interface, with metrics,
summaries and checkpoints at their defaults; the peers shuffle and measure accuracy too, and neither save nor summarise. Each says
which loss it reached on the same data, so that the work can be compared. What is printed is the median of the ratios of the turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WORKLOADS = {
    "mlp": {"batch": 32, "warm": 500, "steps": 3000, "per_call": 50},
    "lenet": {"batch": 64, "warm": 100, "steps": 300, "per_call": 20},
}
VARIANTS = ("fit", "fit-best", "loop")


def make_data(workload):
    import numpy as np

    rng = np.random.default_rng(0)
    if workload == "lenet":
        y = rng.integers(0, 10, 8192)
        return (rng.random((8192, 28, 28, 1)) * 0.5 + y[:, None, None, None] * 0.05).astype("float32"), y
    x = rng.random((8192, 20), dtype="float32")
    return x, (x[:, 0] > x[:, 1]).astype("int64")


def make_layers(workload):
    from keras import layers

    if workload == "mlp":
        return [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu"), layers.Dense(2)]
    return [
        *(layers.Conv2D(32, 5), layers.MaxPooling2D(2), layers.Conv2D(64, 5), layers.MaxPooling2D(2)),
        *(layers.Flatten(), layers.Dense(1024, activation="tanh"), layers.Dense(10)),
    ]


def run_plx(workload, settings):
    import plx_core as plx

    x, y = make_data(workload)
    spare = {} if os.environ.get("PLX_BENCHMARK_BARE") is None else {"save_summary_steps": None, "log_step_count_steps": None}

    def model_fn(features, labels, mode):
        model = plx.models.Classifier(
            mode,
            graph=plx.Graph(layers=make_layers(workload)),
            loss=sparse_loss(),
            optimizer={"Adam": {"learning_rate": 1e-3}},
            metrics=["Accuracy"],
        )
        return model(features, labels)

    input_fn = plx.inputs.numpy_input_fn({"x": x}, y, batch_size=settings["batch"], num_epochs=None, shuffle=True)
    with tempfile.TemporaryDirectory() as folder:
        estimator = plx.Estimator(model_fn, folder, plx.RunConfig(**spare))
        estimator.train(input_fn, steps=settings["warm"])
        start = time.perf_counter()
        estimator.train(input_fn, steps=settings["steps"])
        seconds = time.perf_counter() - start
        loss = estimator.evaluate(plx.inputs.numpy_input_fn({"x": x}, y, batch_size=512, num_epochs=1, shuffle=False))["loss"]
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
    train = by_hand(network, data) if variant == "loop" else by_fit(network, data, settings["per_call"] if variant == "fit-best" else 1)
    train(settings["warm"])
    start = time.perf_counter()
    train(settings["steps"])
    seconds = time.perf_counter() - start
    return seconds, float(sparse_loss()(y, network.predict(x, batch_size=512, verbose=0)))


def by_fit(network, data, per_call):
    import keras

    network.compile(keras.optimizers.Adam(1e-3), sparse_loss(), metrics=["accuracy"], steps_per_execution=per_call)
    return lambda steps: network.fit(data, steps_per_epoch=steps, verbose=0)


def by_hand(network, data):
    import keras
    import tensorflow as tf

    optimizer, loss_fn, accuracy = keras.optimizers.Adam(1e-3), sparse_loss(), keras.metrics.SparseCategoricalAccuracy()
    optimizer.build(network.trainable_variables)
    iterator = iter(data)

    @tf.function
    def train(count):
        for _ in tf.range(count):
            features, labels = next(iterator)
            with tf.GradientTape() as tape:
                logits = network(features, training=True)
                loss = loss_fn(labels, logits)
            optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
            accuracy.update_state(labels, logits)
        return accuracy.result()

    return lambda steps: train(tf.constant(steps)).numpy()


def measure(workload, variant):
    """Steps per second and the loss reached, measured in a process of its own."""
    done = subprocess.run([sys.executable, __file__, workload, "--only", variant], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(workload, turns):
    """Measure in turns, and print a line for each peer."""
    rates = {"plx": [], **{variant: [] for variant in VARIANTS}}
    for turn in range(turns):
        for variant, found in rates.items():
            rate, loss = measure(workload, variant)
            found.append(rate)
            print(f"{workload} turn {turn + 1} {variant:9} {rate:9.1f} steps/s  loss {loss:.4f}", flush=True)
    for variant in VARIANTS:
        ratios = [ours / theirs for ours, theirs in zip(rates["plx"], rates[variant], strict=True)]
        spread = f"{statistics.median(ratios):.2f}x {variant} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{workload}: plx {statistics.median(rates['plx']):.0f} steps/s, {spread}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload", nargs="?", choices=tuple(WORKLOADS), help="both when left out")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=("plx", *VARIANTS), help="measure this one alone, in this process")
    args = parser.parse_args()
    if args.only:
        settings = WORKLOADS[args.workload]
        run = run_plx(args.workload, settings) if args.only == "plx" else run_keras(args.workload, settings, args.only)
        print(json.dumps([settings["steps"] / run[0], run[1]]))
        return
    for workload in [args.workload] if args.workload else WORKLOADS:
        compare(workload, args.turns)


if __name__ == "__main__":
    main()
