"""Labelled images to record files that are complete or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.encoding import bytes_feature, encode_example, encode_image, int64_feature
from plx_pipelines.images import FORMAT, IMAGE, LABEL
from plx_pipelines.metadata import META_DATA, write_metadata
from plx_pipelines.records import load_index, write_records

Encoding: TypeAlias = Literal["png", "raw", "jpeg"]
Split: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [n, height, width, channels], and labels, int [n]."""


def prepare_images(
    name: str, output_dir: str, encoding: Encoding, load: Callable[[], Mapping[str, Split]], classes: Sequence[str]
) -> Mapping[str, Any]:
    """Write `<name>_<split>.tfrecord` for each split, and `meta_data.json` last, so that its presence says that all is there.

    Args:
        name: the data set's name.
        output_dir: a folder, made if need be.
        encoding: how images are kept.
        load: gives the splits by name; called only when something is to be written.
        classes: what each label stands for.

    Returns:
        The metadata, and the `files` by split.
    """
    folder = Path(output_dir)
    done = _prepared(folder, name, encoding)
    if done is not None:
        return done
    splits = load()
    (folder / META_DATA).unlink(missing_ok=True)
    height, width, channels = next(iter(splits.values()))[0].shape[1:]
    for split, (images, labels) in splits.items():
        path = folder / _file_name(name, split)
        write_records(path, (encode_labelled_image(image, int(label), encoding) for image, label in zip(images, labels, strict=True)))
        load_index(path)
    content = {
        "name": name,
        "height": height,
        "width": width,
        "channels": channels,
        "image_format": encoding,
        "num_classes": len(classes),
        "labels_to_classes": {str(label): text for label, text in enumerate(classes)},
        "num_samples": {split: len(labels) for split, (_, labels) in splits.items()},
    }
    write_metadata(folder, content)
    return _with_files(content, folder, written=True)


def encode_labelled_image(image: np.ndarray, label: int, encoding: Encoding) -> bytes:
    """An image, uint8 [height, width, channels], and its label as a serialized `tf.train.Example`."""
    features = {
        IMAGE: bytes_feature([encode_image(image, encoding)]),
        FORMAT: bytes_feature([encoding.encode()]),
        LABEL: int64_feature([label]),
    }
    return encode_example(features)


def _prepared(folder: Path, name: str, encoding: Encoding) -> Mapping[str, Any] | None:
    try:
        content = json.loads((folder / META_DATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / META_DATA} is in the way and cannot be read ({error}); choose another folder, or delete it") from error
    if content.get("name") != name:
        raise DataError(f"{folder} holds another data set, {content.get('name')!r}; choose another folder")
    files = {split: folder / _file_name(name, split) for split in content["num_samples"]}
    whole = all(path.is_file() and len(load_index(path)) == content["num_samples"][split] for split, path in files.items())
    return _with_files(content, folder, written=False) if whole and content["image_format"] == encoding else None


def _with_files(content: Mapping[str, Any], folder: Path, *, written: bool) -> Mapping[str, Any]:
    files = {split: os.fspath(folder / _file_name(content["name"], split)) for split in content["num_samples"]}
    return {**content, "files": files, "meta_data_file": os.fspath(folder / META_DATA), "written": written}


def _file_name(name: str, split: str) -> str:
    return f"{name}_{split}.tfrecord"


def interleave_split(labels: np.ndarray, every: int) -> tuple[np.ndarray, np.ndarray]:
    """The places of training and held-out examples: within each class every `every`-th example is held out."""
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_out[np.flatnonzero(labels == label)[every - 1 :: every]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
