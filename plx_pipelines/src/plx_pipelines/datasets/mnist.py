"""MNIST: 28x28 handwritten digits (LeCun, Cortes & Burges), from IDX files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plx_core.errors import DataError
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.datasets.idx import find_idx, read_idx
from plx_pipelines.records.encoding import Encoding
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import Split, prepare_images

ADDRESS = "https://storage.googleapis.com/cvdf-datasets/mnist/"
FILES = (
    Remote(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    ),
    Remote(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    ),
    Remote(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    ),
    Remote(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    ),
)
DIGITS = [str(digit) for digit in range(10)]
HELD_OUT = 2_000


def prepare(output_dir: str, source: str | None = None, encoding: Encoding = "png") -> Metadata:
    """Write MNIST as 28x28 images of one channel.

    With all four files, there are the usual 60,000 examples for training and 10,000 for evaluation.
    If a folder has only the `t10k` files, their last 2,000 examples are held out as `eval`.

    Args:
        output_dir: the folder for `mnist_train.tfrecord`, `mnist_eval.tfrecord` and
            `meta_data.json`.
        source: a folder of IDX files, gzip or not; by default, they are downloaded.
        encoding: how to encode images.

    Returns:
        The metadata, and the `files` by split.
    """

    def load() -> Mapping[str, Split]:
        return load_idx_splits(Path(source) if source else download(ADDRESS, FILES, "mnist"))

    return prepare_images("mnist", output_dir, encoding, load, DIGITS)


def load_idx_splits(folder: Path) -> Mapping[str, Split]:
    """Return the splits of a folder of MNIST-like IDX files.

    If there are only the `t10k` files, the last examples are held out as `eval`.

    Raises:
        DataError: the files are missing, or differ in the numbers of images and labels.
    """
    test = _load_pair(folder, "t10k")
    if test is None:
        raise DataError(
            f"{folder} has no t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
            "with or without .gz"
        )
    train = _load_pair(folder, "train")
    if train is not None:
        return {"train": train, "eval": test}
    images, labels = test
    if len(labels) <= HELD_OUT:
        raise DataError(
            f"{folder} has {len(labels)} images and no training files; "
            f"more than {HELD_OUT} are needed to hold out {HELD_OUT}"
        )
    return {
        "train": (images[:-HELD_OUT], labels[:-HELD_OUT]),
        "eval": (images[-HELD_OUT:], labels[-HELD_OUT:]),
    }


def _load_pair(folder: Path, part: str) -> Split | None:
    images_path = find_idx(folder, f"{part}-images-idx3-ubyte")
    labels_path = find_idx(folder, f"{part}-labels-idx1-ubyte")
    if images_path is None or labels_path is None:
        return None
    images = read_idx(images_path, axes=3)
    labels = read_idx(labels_path, axes=1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_path} has {len(images)} images, and {labels_path} has {len(labels)} labels"
        )
    return images[..., None], labels
