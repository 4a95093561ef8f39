"""A process that reads a pipeline, batch by batch, until it is killed: python -m tests.pipelines.killing FOLDER.

Each line of standard input, `NAME START COUNT`, starts such a process, a fork, at batch START; after COUNT batches it is killed with
SIGKILL, or left to go on to its end where COUNT is -1. The hashes of the batches that were read until then are the answer.
"""

import gc
import os
import signal
import sys

import numpy as np
import tensorflow as tf
from tests.contract import fingerprint

from plx_core.data.arrays import ArrayPipeline
from plx_core.networks.graph import Graph
from plx_pipelines.pipelines.captions import ImageCaptioningPipeline
from plx_pipelines.pipelines.folders import ImageFolderPipeline
from plx_pipelines.pipelines.images import TFRecordImagePipeline
from plx_pipelines.pipelines.sequences import TFRecordSequencePipeline
from plx_pipelines.pipelines.tables import TablePipeline
from plx_pipelines.pipelines.text_pairs import ParallelTextPipeline, TFRecordSourceSequencePipeline
from plx_pipelines.pipelines.tf_datasets import TFDatasetPipeline

FOLDER = sys.argv[1] if len(sys.argv) > 1 else ""
ORDER = {"batch_size": 4, "num_epochs": 3, "shuffle": True, "seed": 3}
BUCKETS = {**ORDER, "bucket_by_length": True}
IMAGES = {
    "data_files": f"{FOLDER}/images/*.tfrecord",
    "meta_data_file": f"{FOLDER}/images/meta_data.json",
}
SEQUENCES = {
    "data_files": f"{FOLDER}/texts/*.tfrecord",
    "meta_data_file": f"{FOLDER}/texts/meta_data.json",
}
CAPTIONS = {
    "data_files": f"{FOLDER}/shapes/shapes_train.tfrecord",
    "meta_data_file": f"{FOLDER}/shapes/meta_data.json",
}
TEXTS = {"source_files": f"{FOLDER}/en.txt", "target_files": f"{FOLDER}/de.txt"}
RANDOM = {
    "image": Graph(
        layers=[
            {"Flip": {"is_random": True}},
            {"AdjustBrightness": {"delta": 0.2, "is_random": True}},
        ]
    )
}

PIPELINES = {
    "arrays": lambda: ArrayPipeline(np.arange(30), np.arange(30), **ORDER),
    "images": lambda: TFRecordImagePipeline(**IMAGES, **ORDER),
    "images from the disk, random layers": lambda: TFRecordImagePipeline(
        **IMAGES, cache=False, feature_processors=RANDOM, **ORDER
    ),
    "images in memory, second of two workers": lambda: TFRecordImagePipeline(
        **IMAGES, cache=True, **ORDER
    ).shard(1, 2),
    "images in the order of the files": lambda: TFRecordImagePipeline(
        **IMAGES, **{**ORDER, "shuffle": False}
    ),
    "sequences in buckets": lambda: TFRecordSequencePipeline(**SEQUENCES, **BUCKETS),
    "pairs in buckets, first of two workers": lambda: TFRecordSourceSequencePipeline(
        f"{FOLDER}/pairs/*.tfrecord", **BUCKETS
    ).shard(0, 2),
    "text files": lambda: ParallelTextPipeline(**TEXTS, **ORDER),
    "text files in memory, in buckets": lambda: ParallelTextPipeline(
        **TEXTS, cache=True, **BUCKETS
    ),
    "captions in buckets": lambda: ImageCaptioningPipeline(**CAPTIONS, **BUCKETS),
    "folders": lambda: ImageFolderPipeline(
        f"{FOLDER}/shapes/train", 8, 8, feature_processors=RANDOM, **ORDER
    ),
    "tables": lambda: TablePipeline(f"{FOLDER}/table.csv", labels="label", **ORDER),
    "a data set of TensorFlow's": lambda: TFDatasetPipeline(
        tf.data.Dataset.range(30), shuffle_buffer=20, **ORDER
    ),
    "a data set of TensorFlow's, second of three workers": lambda: TFDatasetPipeline(
        tf.data.Dataset.range(100), shuffle_buffer=20, cache=True, **ORDER
    ).shard(1, 3),
}


@tf.autograph.experimental.do_not_convert  # no pipeline needs it, and each fork would spend most of its time on it
def read(name, start, file):
    for batch in PIPELINES[name]().dataset(start).as_numpy_iterator():
        os.write(file, fingerprint(batch).encode() + b"\n")


def read_and_kill(name, start, count):
    """The hashes of `count` batches from `start` on, or of all that there are, and what ended the process."""
    readable, writable = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(readable)
        read(name, start, writable)
        if count >= 0:
            signal.pause()
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as lines:
        found = (
            [line.strip() for _, line in zip(range(count), lines, strict=False)]
            if count >= 0
            else lines.read().split()
        )
        if count >= 0:
            os.kill(process, signal.SIGKILL)
    return found, os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    gc.freeze()  # else each fork copies the pages that its collector of garbage writes to
    for job in sys.stdin:
        name, start, count = job.rsplit(maxsplit=2)
        hashes, end = read_and_kill(name, int(start), int(count))
        print(end, *hashes, flush=True)
