"""Images per second from record files, against hand-written tf.data: python benchmarks/input_pipeline.py IDX_DIR [WORK_DIR] [TURNS].

All read the same files and yield float pixels in batches of 64 in a random order, each inside one tf.function, so Python's own
cost per batch is out of it. They run in turns, and the ratios are medians over the turns, because machines are shared.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from plx_core.graphs import Graph
from plx_pipelines.datasets.mnist import prepare
from plx_pipelines.images import TFRecordImagePipeline

AUTO = tf.data.AUTOTUNE
BATCH, SHAPE = 64, (28, 28, 1)
KEYS = {"image/encoded": tf.io.FixedLenFeature((), tf.string), "image/class/label": tf.io.FixedLenFeature((), tf.int64)}
SCALE = {"image": Graph(input_layers=["image"], layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 1 / 255}}])}


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
        pixels = tf.map_fn(lambda image: tf.reshape(tf.io.decode_png(image, 1), SHAPE), data, fn_output_signature=tf.uint8)
        return scale(pixels, (-1, *SHAPE)), rows["image/class/label"]

    return parse


def contestants(files: dict[str, str], metadata: dict[str, str]) -> dict[str, Callable[[], tf.data.Dataset]]:
    def records(encoding):
        return tf.data.TFRecordDataset(files[encoding]).repeat()

    def plx(encoding, cache=None):
        pipeline = TFRecordImagePipeline(files[encoding], metadata[encoding], BATCH, cache=cache, feature_processors=SCALE, seed=1)
        return pipeline.dataset().map(lambda features, labels: (features["image"], labels["label"]))

    def arrays():
        pixels, labels = zip(*tf.data.TFRecordDataset(files["raw"]).map(one("raw")).as_numpy_iterator(), strict=True)
        return tf.data.Dataset.from_tensor_slices((np.stack(pixels), np.array(labels))).repeat().shuffle(2000).batch(BATCH).prefetch(AUTO)

    return {
        "png, map then batch (naive)": lambda: records("png").shuffle(2000).map(one("png")).batch(BATCH),
        "png, parallel map": lambda: records("png").shuffle(2000).map(one("png"), AUTO).batch(BATCH).prefetch(AUTO),
        "png, parse after batch": lambda: records("png").shuffle(2000).batch(BATCH).map(many("png"), AUTO).prefetch(AUTO),
        "png, plx": lambda: plx("png"),
        "png, plx from the disk": lambda: plx("png", cache=False),
        "raw, map then batch (naive)": lambda: records("raw").shuffle(2000).map(one("raw")).batch(BATCH),
        "raw, parallel map": lambda: records("raw").shuffle(2000).map(one("raw"), AUTO).batch(BATCH).prefetch(AUTO),
        "raw, parse after batch": lambda: records("raw").shuffle(2000).batch(BATCH).map(many("raw"), AUTO).prefetch(AUTO),
        "raw, plx": lambda: plx("raw"),
        "raw, plx from the disk": lambda: plx("raw", cache=False),
        "arrays in memory (limit)": arrays,
        "plx, cached": lambda: plx("png", cache=True),
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


GOALS = (
    ("raw, plx", "png, map then batch (naive)", 3.0),
    ("raw, plx", "raw, map then batch (naive)", 3.0),
    ("raw, plx", "raw, parse after batch", 0.9),
    ("raw, plx from the disk", "raw, parse after batch", None),
    ("png, plx", "png, map then batch (naive)", 1.5),
    ("png, plx", "png, parse after batch", 0.9),
    ("png, plx from the disk", "png, parse after batch", None),
    ("plx, cached", "arrays in memory (limit)", 0.8),
)


def main(source: str, work: str = "ladder-data", turns: str = "5") -> None:
    written = {encoding: prepare(str(Path(work) / encoding), source, encoding) for encoding in ("png", "raw")}
    files = {encoding: content["files"]["train"] for encoding, content in written.items()}
    metadata = {encoding: content["meta_data_file"] for encoding, content in written.items()}
    makers = contestants(files, metadata)
    rates: dict[str, list[float]] = {name: [] for name in makers}
    for _ in range(int(turns)):
        for name, make in makers.items():  # made afresh: an idle iterator's prefetching would disturb the others
            rates[name].append(reader(make())(300))
    for name, values in rates.items():
        print(f"{name:32} {statistics.median(values):10,.0f} images/s  ({min(values):,.0f} to {max(values):,.0f})")
    print()
    for ours, theirs, goal in GOALS:
        ratios = [a / b for a, b in zip(rates[ours], rates[theirs], strict=True)]
        wanted = f"goal {goal}" if goal else "for information"
        print(f"{ours} / {theirs}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}; {wanted})")


if __name__ == "__main__":
    main(*sys.argv[1:])
