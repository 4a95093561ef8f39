"""The 1,797 handwritten digits of scikit-learn, which need no download."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from plx_core.errors import DataError
from plx_pipelines.records.encoding import Encoding
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import Split, interleave_split, prepare_images

SIZE = 28


def prepare(output_dir: str, source: str | None = None, encoding: Encoding = "png") -> Metadata:
    """Write the digits as 28x28 images of one channel.

    The originals are 8x8 with 17 grey levels (Alpaydin & Kaynak 1998). They are scaled to 0..255
    and enlarged bilinearly, to fit networks for MNIST. Every fifth example of each class is held
    out as `eval`.

    Args:
        output_dir: the folder for `digits_train.tfrecord`, `digits_eval.tfrecord` and
            `meta_data.json`.
        source: not used, as the digits come with scikit-learn.
        encoding: how to encode images.

    Returns:
        The metadata, and the `files` by split.
    """
    classes = [str(digit) for digit in range(10)]
    return prepare_images("digits", output_dir, encoding, _load, classes)


def _load() -> Mapping[str, Split]:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the digits come with scikit-learn, which is not installed: "
            "pip install 'plx-pipelines[digits]'"
        ) from error
    digits = load_digits()
    labels = digits.target.astype(np.int64)
    images = np.stack([enlarge(image) for image in digits.images])[..., None]
    return {
        split: (images[indices], labels[indices])
        for split, indices in zip(("train", "eval"), interleave_split(labels, 5), strict=True)
    }


def enlarge(image: np.ndarray) -> np.ndarray:
    """Scale and enlarge grey levels 0..16, float [8, 8], to uint8 [28, 28]."""
    grey = np.rint(image * (255 / 16)).astype(np.uint8)
    return np.asarray(Image.fromarray(grey).resize((SIZE, SIZE), Image.Resampling.BILINEAR))
