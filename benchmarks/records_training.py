"""Steps per second of LeNet on MNIST from PNG record files: `plx train` and Keras `fit`.

The batch size is 64, the loss cross-entropy, the metric accuracy. plx is measured as a command,
with its metrics, summaries and checkpoints; its rate is that between two lines of its log. `fit`
has a well-written tf.data pipeline: parsed after batching, decoded in parallel, prefetched.
`plx data mnist` makes the files, from the folder that PLX_MNIST names or from a download.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sides import run
from training import make_layers

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
PLX = str(Path(sys.executable).parent / "plx")
EXAMPLE = str(HERE.parent / "examples" / "lenet_mnist.yml")
DATA = HERE / "data" / "mnist"
WARM, STEPS = 100, 300
SETS = (
    "environment.run_config.save_checkpoints_steps=200",
    "model.classifier.loss=SoftmaxCrossEntropy",
    "model.classifier.metrics=[Accuracy]",
    "model.classifier.optimizer={Adam: {learning_rate: 0.001}}",
    "train.data_pipeline.TFRecordImagePipeline.num_epochs=null",
    "train.data_pipeline.TFRecordImagePipeline.feature_processors={image: {input_layers: [image], "
    "layers: [{Cast: {dtype: float32}}, {Rescaling: {scale: 0.00392156862745098}}]}}",
)


def prepare():
    """Make the record files if they are missing, and return the one for training."""
    if not (DATA / "meta_data.json").exists():
        source = ["--source", os.environ["PLX_MNIST"]] if "PLX_MNIST" in os.environ else []
        subprocess.run([PLX, "data", "mnist", "--output-dir", str(DATA), *source], check=True)
    return DATA / "mnist_train.tfrecord"


def by_plx(quick):
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").symlink_to(DATA.parent)
        last = WARM + STEPS // (3 if quick else 1)
        sets = [word for item in (*SETS, f"train.train_steps={last}") for word in ("--set", item)]
        subprocess.run(
            [PLX, "train", EXAMPLE, *sets, "--output-dir", "run"],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        text = Path(folder, "run", "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
    times = {line["step"]: line["time"] for line in lines if line["split"] == "train"}
    return {
        "rate": (last - WARM) / (times[last] - times[WARM]),
        "loss": lines[-1]["metrics"]["loss"],
    }


def by_fit(quick):
    import keras
    import tensorflow as tf

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
        pixels = tf.ensure_shape(tf.cast(images, tf.float32) / 255.0, (None, 28, 28, 1))
        return pixels, rows["image/class/label"]

    data = (
        tf.data.TFRecordDataset(str(prepare()))
        .repeat()
        .shuffle(10_000)
        .batch(64)
        .map(parse, tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )
    network = keras.Sequential([keras.Input((28, 28, 1)), *make_layers("lenet")])
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
    run({"plx": by_plx, "fit": by_fit}, __doc__)
