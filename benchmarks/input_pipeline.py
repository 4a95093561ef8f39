"""Images per second from MNIST's record files, compared with hand-written tf.data.

All sides read the same files and yield float pixels in batches of 64 in a random order. Each runs
inside one tf.function, so that Python's cost per batch does not count. `naive` maps single records
and then batches, `parallel` does so on several threads, `batched` parses whole batches; `disk`
keeps nothing in memory. The files are made from the folder that PLX_MNIST names, or downloaded.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from sides import run

import plx_core as plx
from plx_pipelines.datasets.mnist import prepare
from plx_pipelines.pipelines.images import TFRecordImagePipeline

AUTO = tf.data.AUTOTUNE
BATCH, SHAPE = 64, (28, 28, 1)
ENCODINGS = ("png", "raw")
DATA = Path(__file__).parent / "data" / "ladder"
KEYS = {
    "image/encoded": tf.io.FixedLenFeature((), tf.string),
    "image/class/label": tf.io.FixedLenFeature((), tf.int64),
}
SCALE = {
    "image": plx.Graph(
        input_layers=["image"],
        layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}],
    )
}


def scale(pixels, shape):
    return tf.cast(tf.reshape(pixels, shape), tf.float32) / 255.0


def decode_one(encoding, data):
    return tf.io.decode_png(data, 1) if encoding == "png" else tf.io.decode_raw(data, tf.uint8)


def parse_record(encoding):
    """Return a function from a record to an image and its label."""

    def parse(record):
        row = tf.io.parse_single_example(record, KEYS)
        return scale(decode_one(encoding, row["image/encoded"]), SHAPE), row["image/class/label"]

    return parse


def parse_batch(encoding):
    """Return a function from records to images and their labels."""

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


def datasets(
    files: dict[str, str], metadata: dict[str, str]
) -> dict[str, Callable[[], tf.data.Dataset]]:
    """Return functions that build the dataset of each side.

    Args:
        files: the record files, by encoding.
        metadata: the files of metadata, by encoding.
    """

    def records(encoding):
        return tf.data.TFRecordDataset(files[encoding]).repeat()

    def ours(encoding, cache=None):
        pipeline = TFRecordImagePipeline(
            files[encoding],
            metadata[encoding],
            batch_size=BATCH,
            cache=cache,
            feature_processors=SCALE,
            seed=1,
        )
        return pipeline.dataset().map(lambda features, labels: (features["image"], labels["label"]))

    def arrays():
        pixels, labels = zip(
            *tf.data.TFRecordDataset(files["raw"]).map(parse_record("raw")).as_numpy_iterator(),
            strict=True,
        )
        return (
            tf.data.Dataset.from_tensor_slices((np.stack(pixels), np.array(labels)))
            .repeat()
            .shuffle(2000)
            .batch(BATCH)
            .prefetch(AUTO)
        )

    def naive(encoding):
        return records(encoding).shuffle(2000).map(parse_record(encoding)).batch(BATCH)

    def parallel(encoding):
        examples = records(encoding).shuffle(2000).map(parse_record(encoding), AUTO)
        return examples.batch(BATCH).prefetch(AUTO)

    def batched(encoding):
        batches = records(encoding).shuffle(2000).batch(BATCH)
        return batches.map(parse_batch(encoding), AUTO).prefetch(AUTO)

    sides = {
        f"{name}-{encoding}": partial(make, encoding)
        for name, make in (("naive", naive), ("parallel", parallel), ("batched", batched))
        for encoding in ENCODINGS
    }
    sides |= {f"plx-{encoding}": partial(ours, encoding) for encoding in ENCODINGS}
    sides |= {f"plx-{encoding}-disk": partial(ours, encoding, False) for encoding in ENCODINGS}
    return sides | {"plx-cached": partial(ours, "png", True), "arrays": arrays}


def reader(dataset: tf.data.Dataset) -> Callable[[int], float]:
    """Return a function that reads a number of batches, and returns the images per second."""
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


def side(name):
    def measure(quick):
        files, metadata = {}, {}
        for encoding in ENCODINGS:
            data = prepare(str(DATA / encoding), os.environ.get("PLX_MNIST"), encoding)
            files[encoding] = data["files"]["train"]
            metadata[encoding] = data["meta_data_file"]
        rate = reader(datasets(files, metadata)[name]())
        return {"rate": rate(300 if quick else 1500)}

    return measure


if __name__ == "__main__":
    run({name: side(name) for name in datasets({}, {})}, __doc__)
