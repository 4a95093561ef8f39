"""CIFAR-10: 32x32 colour images of ten classes (Krizhevsky 2009), in its binary version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.datasets.archives import read_members
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.records.encoding import Encoding
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import Split, prepare_images

ADDRESS = "https://www.cs.toronto.edu/~kriz/"
ARCHIVE = Remote(
    "cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (3, 32, 32)
ROW = 1 + 3 * 32 * 32
_FILES = re.compile(r"(data_batch_[1-5]|test_batch)\.bin$")


def prepare(output_dir: str, source: str | None = None, encoding: Encoding = "png") -> Metadata:
    """Write CIFAR-10 as 32x32 images of three channels; its test file is `eval`.

    Args:
        output_dir: the folder for `cifar10_train.tfrecord`, `cifar10_eval.tfrecord` and
            `meta_data.json`.
        source: a folder with the archive of the binary version, or with its `.bin` files; by
            default, the archive is downloaded.
        encoding: how to encode images.

    Returns:
        The metadata, and the `files` by split.
    """

    def load() -> Mapping[str, Split]:
        return load_batches(Path(source) if source else download(ADDRESS, [ARCHIVE], "cifar10"))

    return prepare_images("cifar10", output_dir, encoding, load, CLASSES)


def load_batches(folder: Path) -> Mapping[str, Split]:
    """Return the images and labels of the training and test files.

    Raises:
        DataError: there are no training or no test files, or a file has the wrong format.
    """
    rows: dict[str, list[np.ndarray]] = {"train": [], "eval": []}
    for name, content in sorted(read_members(folder, ARCHIVE.name, _FILES)):
        if not content or len(content) % ROW:
            raise DataError(
                f"{name} in {folder} has {len(content)} bytes; "
                f"expected a multiple of {ROW}, for a label and an image each"
            )
        batch = np.frombuffer(content, np.uint8).reshape(-1, ROW)
        if batch[:, 0].max() >= len(CLASSES):
            raise DataError(
                f"{name} in {folder} has the label {batch[:, 0].max()}; "
                f"there are {len(CLASSES)} classes"
            )
        rows["eval" if name.startswith("test") else "train"].append(batch)
    if not all(rows.values()):
        missing = "data_batch_1.bin" if rows["eval"] else "test_batch.bin"
        raise DataError(f"{folder} has no {missing}")
    return {split: _images(np.concatenate(batches)) for split, batches in rows.items()}


def _images(rows: np.ndarray) -> Split:
    return rows[:, 1:].reshape(-1, *SHAPE).transpose(0, 2, 3, 1), rows[:, 0]
