"""Images per second from MNIST's record files, against hand-written tf.data.

All read the same files and yield float pixels in batches of 64 in a random order, each inside one tf.function, so Python's own
cost per batch is out of it. `naive` maps record by record and then makes batches, `parallel` does so on several threads, `batched`
parses whole batches; `disk` keeps nothing in memory. The files are made from the folder that PLX_MNIST names, or from the internet.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from plx_core.networks.graph import Graph
from plx_pipelines.datasets.mnist import prepare
from plx_pipelines.images import TFRecordImagePipeline

AUTO = tf.data.AUTOTUNE
BATCH, SHAPE = 64, (28, 28, 1)
ENCODINGS = ("png", "raw")
DATA = Path(__file__).parent / "data" / "ladder"
KEYS = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string),
    "image/class/label": tf.io.FixedLenFeature((), tf.int64),
}
SCALE = {
    "image": Graph(
        input_layers=["image"],
        layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}],
    )
}


def scale(pixels, shape):
    return tf.cast(tf.reshape(pixels, shape), tf.float32) / 255.0


def decode_one(encoding, data):
    return tf.io.decode_png(data, 1) if encoding == "png" else tf.io.decode_raw(data, tf.uint8)


def one(encoding):
    def parse(record):
        row = tf.io.parse_single_example(record, KEYS)
        return scale(decode_one(encoding, row["image/encoded"]), SHAPE), row["image/class/label"]

    return parse


def many(encoding):
    def parse(records):
        rows = tf.io.parse_example(records, KEYS)
        data = rows["image/encoded"]
        if encoding == "raw":
            return scale(tf.io.decode_raw(data, tf.uint8), (-1, *SHAPE)), rows["image/class/label"]
        pixels = tf.map_fn(
            lambda image: tf.reshape(tf.io.decode_png(image, 1), SHAPE),
            data,
            fn_output_signature=tf.uint8,
        )
        return scale(pixels, (-1, *SHAPE)), rows["image/class/label"]

    return parse


def contestants(
    files: dict[str, str], metadata: dict[str, str]
) -> dict[str, Callable[[], tf.data.Dataset]]:
    def records(encoding):
        return tf.data.TFRecordDataset(files[encoding]).repeat()

    def plx(encoding, cache=None):
        pipeline = TFRecordImagePipeline(
            files[encoding],
            metadata[encoding],
            BATCH,
            cache=cache,
            feature_processors=SCALE,
            seed=1,
        )
        return pipeline.dataset().map(lambda features, labels: (features["image"], labels["label"]))

    def arrays():
        pixels, labels = zip(
            *tf.data.TFRecordDataset(files["raw"]).map(one("raw")).as_numpy_iterator(), strict=True
        )
        return (
            tf.data.Dataset.from_tensor_slices((np.stack(pixels), np.array(labels)))
            .repeat()
            .shuffle(2000)
            .batch(BATCH)
            .prefetch(AUTO)
        )

    naive = {
        f"naive-{kind}": lambda kind=kind: records(kind).shuffle(2000).map(one(kind)).batch(BATCH)
        for kind in ENCODINGS
    }
    parallel = {
        f"parallel-{kind}": lambda kind=kind: (
            records(kind).shuffle(2000).map(one(kind), AUTO).batch(BATCH).prefetch(AUTO)
        )
        for kind in ENCODINGS
    }
    batched = {
        f"batched-{kind}": lambda kind=kind: (
            records(kind).shuffle(2000).batch(BATCH).map(many(kind), AUTO).prefetch(AUTO)
        )
        for kind in ENCODINGS
    }
    ours = {f"plx-{kind}": lambda kind=kind: plx(kind) for kind in ENCODINGS}
    ours |= {f"plx-{kind}-disk": lambda kind=kind: plx(kind, cache=False) for kind in ENCODINGS}
    return {
        **naive,
        **parallel,
        **batched,
        **ours,
        "plx-cached": lambda: plx("png", cache=True),
        "arrays": arrays,
    }


def reader(dataset: tf.data.Dataset) -> Callable[[int], float]:
    iterator = iter(dataset)

    @tf.function
    def read(count):
        total = 0.0
        for _ in tf.range(count):
            images, _ = next(iterator)
            total += images[0, 0, 0, 0]
        return total

    def rate(batches: int) -> float:
        start = time.perf_counter()
        read(tf.constant(batches))
        return batches * BATCH / (time.perf_counter() - start)

    rate(20)
    return rate


def measure(side):
    def run(quick):
        written = {
            encoding: prepare(str(DATA / encoding), os.environ.get("PLX_MNIST"), encoding)
            for encoding in ENCODINGS
        }
        files = {encoding: content["files"]["train"] for encoding, content in written.items()}
        metadata = {encoding: content["meta_data_file"] for encoding, content in written.items()}
        return {"rate": reader(contestants(files, metadata)[side]())(300 if quick else 1500)}

    return run


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from sides import run

    run({side: measure(side) for side in contestants({}, {})}, __doc__)
