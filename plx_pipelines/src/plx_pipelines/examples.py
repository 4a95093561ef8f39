"""Examples for the conformance checks of pipelines: small files, and the parameters for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from PIL import Image

from plx_pipelines.records.encoding import (
    encode_labelled_image,
    encode_sequence_example,
    float_feature,
    int64_feature,
)
from plx_pipelines.records.metadata import write_metadata
from plx_pipelines.records.tfrecord import write_records

Example: TypeAlias = Mapping[str, Any]
"""An example of a component; see `plx_core.hookspecs.provide_examples`."""

ROWS = 10


def table(folder: Path) -> Example:
    """Write a table of numbers."""
    rows = "".join(f"{number},{number / 10},{number % 3}\n" for number in range(ROWS))
    (folder / "rows.csv").write_text(f"a,b,c\n{rows}", encoding="utf-8")
    return {
        "params": {
            "data_files": str(folder / "rows.csv"),
            "features": {"x": ["a", "b"]},
            "labels": "c",
        }
    }


def texts(folder: Path) -> Example:
    """Write pairs of lines of increasing length."""
    for name, word in (("source", "tree"), ("target", "Baum")):
        (folder / name).write_text(
            "".join(f"{word} {'x ' * number}\n" for number in range(ROWS)), encoding="utf-8"
        )
    return {
        "params": {"source_files": str(folder / "source"), "target_files": str(folder / "target")}
    }


def image_folder(folder: Path) -> Example:
    """Write images of one colour, in two classes."""
    for number in range(ROWS):
        path = folder / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 6, 3), number * 20, np.uint8)).save(path)
    return {"params": {"data_dir": str(folder), "height": 6, "width": 6}}


def image_records(folder: Path) -> Example:
    """Write images of noise, with labels."""
    pixels = np.random.default_rng(1).integers(0, 256, (ROWS, 4, 4, 3), np.uint8)
    write_records(
        folder / "images.tfrecord",
        (encode_labelled_image(image, label, "png") for label, image in enumerate(pixels)),
    )
    write_metadata(folder, {"height": 4, "width": 4, "channels": 3})
    return {"params": _records(folder)}


def sequence_records(folder: Path) -> Example:
    """Write sequences of points, of several lengths, with labels."""
    records = (
        encode_sequence_example(
            {"label": int64_feature([number])},
            {"points": [float_feature([step, -step]) for step in range(number % 4)]},
        )
        for number in range(ROWS)
    )
    write_records(folder / "sequences.tfrecord", records)
    content = {
        "context_features": {"label": {"dtype": "int64"}},
        "sequence_features": {"points": {"dtype": "float32", "shape": [2]}},
        "labels": ["label"],
    }
    (folder / "meta_data.json").write_text(json.dumps(content), encoding="utf-8")
    return {"params": _records(folder)}


def dataset(folder: Path) -> Example:
    """Return a `tf.data.Dataset` of numbers."""
    return {"params": {"dataset": tf.data.Dataset.range(ROWS).map(lambda number: {"x": number})}}


def _records(folder: Path) -> dict[str, str]:
    return {
        "data_files": str(folder / "*.tfrecord"),
        "meta_data_file": str(folder / "meta_data.json"),
    }
