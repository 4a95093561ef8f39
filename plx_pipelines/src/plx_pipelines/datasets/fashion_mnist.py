"""Fashion-MNIST: 28x28 grey images of clothes (Xiao, Rasul & Vollgraf 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.datasets.mnist import load_idx_splits
from plx_pipelines.records.encoding import Encoding
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import Split, prepare_images

ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
FILES = (
    Remote(
        "train-images-idx3-ubyte.gz",
        "08dc20ab1689590a0bcd66e874647b6ee8464e2d501b5a3f1f78831db19a3fdc",
    ),
    Remote(
        "train-labels-idx1-ubyte.gz",
        "b0197879cbda89f3dc7b894f9fd52b858e68ea4182b6947c9d8c2b67e5f18dcc",
    ),
    Remote(
        "t10k-images-idx3-ubyte.gz",
        "78dcbbfb5a27efaf1b6c1d616caca68560be8766c5bffcb2791df9273a534229",
    ),
    Remote(
        "t10k-labels-idx1-ubyte.gz",
        "42bd18137a62d5998cdeae52bf3a0676ac6b706f5cf8439b47bb5b151ae3dccf",
    ),
)
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def prepare(output_dir: str, source: str | None = None, encoding: Encoding = "png") -> Metadata:
    """Write Fashion-MNIST as 28x28 images of one channel, with the splits of MNIST.

    Args:
        output_dir: the folder for `fashion_mnist_train.tfrecord`, `fashion_mnist_eval.tfrecord` and
            `meta_data.json`.
        source: a folder of IDX files, gzip or not; by default, they are downloaded.
        encoding: how to encode images.

    Returns:
        The metadata, and the `files` by split.
    """

    def load() -> Mapping[str, Split]:
        return load_idx_splits(
            Path(source) if source else download(ADDRESS, FILES, "fashion_mnist")
        )

    return prepare_images("fashion_mnist", output_dir, encoding, load, CLASSES)
