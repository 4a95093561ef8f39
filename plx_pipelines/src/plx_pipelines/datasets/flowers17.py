"""Oxford's 17 flowers: 80 photographs of each of 17 kinds (Nilsback & Zisserman 2006)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_pipelines.datasets.archives import read_members
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.image_files import decode_image
from plx_pipelines.records.encoding import Encoding, encode_labelled_image
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import (
    find_prepared,
    image_metadata,
    interleave_split,
    write_splits,
)

ADDRESS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/"
ARCHIVE = Remote(
    "17flowers.tgz", "fe38a60f8b4a95e657551247d3e7d799a3fafcdbc595be504b12839967823d70"
)
CLASSES = (
    "daffodil", "snowdrop", "lily of the valley", "bluebell", "crocus", "iris", "tiger lily",
    "tulip", "fritillary", "sunflower", "daisy", "colt's foot", "dandelion", "cowslip", "buttercup",
    "windflower", "pansy",
)  # fmt: skip
PER_CLASS = 80
_FILES = re.compile(r"image_\d{4}\.jpg$")


def prepare(
    output_dir: str, source: str | None = None, encoding: Encoding = "jpeg", size: PositiveInt = 224
) -> Metadata:
    """Write the photographs, resized to squares; every fifth of each kind is held out as `eval`.

    Args:
        output_dir: the folder for `flowers17_train.tfrecord`, `flowers17_eval.tfrecord` and
            `meta_data.json`.
        source: a folder with the archive, or with its `.jpg` files; by default, the archive is
            downloaded.
        encoding: how to encode images.
        size: the height and width of the images in pixels.

    Returns:
        The metadata, and the `files` by split.
    """
    metadata = image_metadata((size, size, 3), encoding, CLASSES)
    prepared = find_prepared(output_dir, "flowers17", metadata)
    if prepared is not None:
        return prepared
    folder = Path(source) if source else download(ADDRESS, [ARCHIVE], "flowers17")
    photographs = sorted(read_members(folder, ARCHIVE.name, _FILES))
    labels = np.array([_kind(name, folder) for name, _ in photographs])

    def encode(indices: np.ndarray) -> Iterator[bytes]:
        for index in indices:
            name, content = photographs[index]
            image = decode_image(content, f"{name} in {folder}", (size, size), 3)
            yield encode_labelled_image(image, int(labels[index]), encoding)

    train, held_out = interleave_split(labels, 5)
    records = {"train": encode(train), "eval": encode(held_out)}
    return write_splits(output_dir, "flowers17", records, metadata)


def _kind(name: str, folder: Path) -> int:
    number = int(name[6:10])
    if not 1 <= number <= PER_CLASS * len(CLASSES):
        raise DataError(
            f"{name} in {folder} is not one of the photographs, "
            f"which are numbered from 1 to {PER_CLASS * len(CLASSES)}"
        )
    return (number - 1) // PER_CLASS
