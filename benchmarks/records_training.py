"""LeNet on MNIST from record files of PNG images, batch 64, cross-entropy, accuracy: `plx run`, and Keras `fit` on the same files.

`plx run` is the command itself, with its metrics, summaries and checkpoints; its rate is that between two lines of its log. `fit` has a
pipeline of tf.data written well: parsed after batching, decoded in parallel, prefetched. The files are made by `plx data mnist`, from the
folder that PLX_MNIST names, or from the internet.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
DATA = HERE / "data" / "mnist"
WARM, STEPS = 100, 300
SETS = (
    "environment.run_config.save_checkpoints_steps=200",
    "model.classifier.loss=SoftmaxCrossEntropy",
    "model.classifier.metrics=[Accuracy]",
    "model.classifier.optimizer={Adam: {learning_rate: 0.001}}",
    "train.data_pipeline.TFRecordImagePipeline.num_epochs=null",
    "train.data_pipeline.TFRecordImagePipeline.feature_processors="
    "{image: {input_layers: [image], layers: [{Cast: {dtype: float32}}, {Rescaling: {scale: 0.00392156862745098}}]}}",
)


def prepare():
    """The record files, made once."""
    if not (DATA / "meta_data.json").exists():
        source = ["--source", os.environ["PLX_MNIST"]] if "PLX_MNIST" in os.environ else []
        subprocess.run(
            [
                str(Path(sys.executable).parent / "plx"),
                "data",
                "mnist",
                "--output-dir",
                str(DATA),
                *source,
            ],
            check=True,
        )
    return DATA / "mnist_train.tfrecord"


def by_plx(quick):
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(DATA.parent)
        last = WARM + STEPS // (3 if quick else 1)
        sets = [word for one in (*SETS, f"train.train_steps={last}") for word in ("--set", one)]
        command = [
            str(Path(sys.executable).parent / "plx"),
            "train",
            str(HERE.parent / "examples" / "lenet_mnist.yml"),
            *sets,
        ]
        subprocess.run(
            [*command, "--output-dir", "run"], check=True, capture_output=True, cwd=folder
        )
        lines = [
            json.loads(line)
            for line in (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
        ]
    times = {line["step"]: line["time"] for line in lines if line["split"] == "train"}
    return {
        "rate": (last - WARM) / (times[last] - times[WARM]),
        "loss": lines[-1]["metrics"]["loss"],
    }


def by_fit(quick):
    import keras
    import tensorflow as tf
    from keras import layers

    keys = {
        "image/encoded": tf.io.FixedLenFeature((), tf.string),
        "image/class/label": tf.io.FixedLenFeature((), tf.int64),
    }

    def parse(records):
        rows = tf.io.parse_example(records, keys)
        images = tf.map_fn(
            lambda data: tf.io.decode_png(data, 1),
            rows["image/encoded"],
            fn_output_signature=tf.uint8,
        )
        return tf.ensure_shape(tf.cast(images, tf.float32) / 255.0, (None, 28, 28, 1)), rows[
            "image/class/label"
        ]

    data = (
        tf.data.TFRecordDataset(str(prepare()))
        .repeat()
        .shuffle(10_000)
        .batch(64)
        .map(parse, tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    network = keras.Sequential(
        [
            *(
                keras.Input((28, 28, 1)),
                layers.Conv2D(32, 5),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 5),
                layers.MaxPooling2D(2),
            ),
            *(layers.Flatten(), layers.Dense(1024, activation="tanh"), layers.Dense(10)),
        ]
    )
    network.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(data, steps_per_epoch=WARM, verbose=0)
    steps = STEPS // (3 if quick else 1)
    start = time.perf_counter()
    history = network.fit(data, steps_per_epoch=steps, verbose=0)
    return {"rate": steps / (time.perf_counter() - start), "loss": history.history["loss"][-1]}


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    from sides import run

    run({"plx": by_plx, "fit": by_fit}, __doc__)
