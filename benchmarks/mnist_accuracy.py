"""Accuracy of LeNet on MNIST after three epochs: `plx run` and Keras `fit`, for several seeds.

Run it with `python benchmarks/mnist_accuracy.py FOLDER`, where FOLDER holds the data that
`plx data mnist --output-dir FOLDER` prepared. The pixels are scaled to 0..1, the loss is
cross-entropy, and the optimizer is Adam with a learning rate of 0.001.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from training import make_layers

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EXAMPLE = Path(__file__).parents[1] / "examples" / "lenet_mnist.yml"


def write_config(folder, seed, path):
    """Write the example's file with scaled pixels, and another loss, learning rate and length."""
    import yaml

    config = yaml.safe_load(EXAMPLE.read_text())
    config["environment"] |= {"seed": seed}
    model = config["model"]["classifier"]
    model |= {
        "loss": "SoftmaxCrossEntropy",
        "optimizer": {"Adam": {"learning_rate": 0.001}},
        "metrics": ["Accuracy"],
    }
    del config["train"]["train_steps"]
    for section, split, epochs in (("train", "train", 3), ("eval", "eval", 1)):
        pipeline = config[section]["data_pipeline"]["TFRecordImagePipeline"]
        pipeline |= {
            "data_files": [f"{folder}/mnist_{split}.tfrecord"],
            "meta_data_file": f"{folder}/meta_data.json",
            "num_epochs": epochs,
        }
        pipeline["feature_processors"]["image"]["layers"].append({"Rescaling": {"scale": 1 / 255}})
    path.write_text(yaml.safe_dump(config))


def by_plx(folder, seed):
    """Return the accuracy that `plx run` reports."""
    with tempfile.TemporaryDirectory() as work:
        file = Path(work, "mnist.yml")
        write_config(folder, seed, file)
        words = ["run", str(file), "--output-dir", f"{work}/run"]
        subprocess.run([sys.executable, "-m", "plx_core", *words], check=True, capture_output=True)
        lines = [
            json.loads(line) for line in Path(work, "run", "metrics.jsonl").read_text().splitlines()
        ]
    return next(line["metrics"]["accuracy"] for line in lines if line["split"] == "eval")


def by_keras(folder, seed):
    """Return the accuracy of Keras on the same examples, measured in this process."""
    import keras

    keras.utils.set_random_seed(seed)
    (x, y), (x_eval, y_eval) = read(folder, "train"), read(folder, "eval")
    network = keras.Sequential([keras.Input((28, 28, 1)), *make_layers("lenet")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    network.fit(x, y, batch_size=64, epochs=3, verbose=0)
    return network.evaluate(x_eval, y_eval, verbose=0, return_dict=True)["accuracy"]


def read(folder, split):
    """Return the images of a split, scaled to 0..1, and its labels."""
    import numpy as np
    import tensorflow as tf

    keys = {
        "image/encoded": tf.io.FixedLenFeature((), tf.string),
        "image/class/label": tf.io.FixedLenFeature((), tf.int64),
    }
    rows = [
        tf.io.parse_single_example(record, keys)
        for record in tf.data.TFRecordDataset(f"{folder}/mnist_{split}.tfrecord")
    ]
    images = np.stack([tf.io.decode_png(row["image/encoded"], 1).numpy() for row in rows])
    return images.astype("float32") / 255, np.array([int(row["image/class/label"]) for row in rows])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    args = parser.parse_args()
    for seed in args.seeds:
        ours, theirs = by_plx(args.folder, seed), by_keras(args.folder, seed)
        print(f"seed {seed}: plx {ours:.4f}, Keras fit {theirs:.4f}", flush=True)


if __name__ == "__main__":
    main()
