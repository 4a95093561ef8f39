"""Write examples as sharded record files with metadata, complete or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.records.encoding import Encoding, encode_labelled_image
from plx_pipelines.records.metadata import META_DATA, Metadata, write_metadata
from plx_pipelines.records.tfrecord import load_index, write_record, writing

Split: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [n, height, width, channels], and labels, int [n]."""


def prepare_images(
    name: str,
    output_dir: str,
    encoding: Encoding,
    load: Callable[[], Mapping[str, Split]],
    classes: Sequence[str],
) -> Metadata:
    """Write `<name>_<split>.tfrecord` for each split, and `meta_data.json`, unless they exist.

    Args:
        name: the data set's name.
        output_dir: a folder, created if necessary.
        encoding: how to encode images.
        load: returns the splits by name; called only if the files must be written.
        classes: the name of the class of each label.

    Returns:
        The metadata, and the `files` by split.
    """
    prepared = find_prepared(output_dir, name, {"image_format": encoding})
    if prepared is not None:
        return prepared
    splits = load()
    shape = next(iter(splits.values()))[0].shape[1:]
    records = {
        split: (
            encode_labelled_image(image, int(label), encoding)
            for image, label in zip(images, labels, strict=True)
        )
        for split, (images, labels) in splits.items()
    }
    return write_splits(output_dir, name, records, image_metadata(shape, encoding, classes))


def image_metadata(
    shape: Sequence[int], encoding: Encoding, classes: Sequence[str]
) -> dict[str, Any]:
    """Return the metadata of images of a shape (height, width, channels), and of their classes."""
    height, width, channels = shape
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "image_format": encoding,
        **class_metadata(classes),
    }


def class_metadata(classes: Sequence[str]) -> dict[str, Any]:
    """Return the metadata of classes: their number, and the name for each label."""
    return {
        "num_classes": len(classes),
        "labels_to_classes": {str(label): text for label, text in enumerate(classes)},
    }


def write_splits(
    output_dir: str | os.PathLike[str],
    name: str,
    splits: Mapping[str, Iterable[bytes]],
    metadata: Metadata,
    shards: int = 1,
) -> Metadata:
    """Write the records of each split, then `meta_data.json`: it exists only if all files do.

    Args:
        output_dir: a folder, created if necessary.
        name: the prefix of the files' names.
        splits: serialized records by split.
        metadata: the metadata, without the number of records.
        shards: the number of files for each split; records are written to them in turns.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: a split has fewer records than `shards`.
    """
    folder = Path(output_dir)
    (folder / META_DATA).unlink(missing_ok=True)
    counts = {
        split: write_shards(_shard_paths(folder, name, split, shards), records)
        for split, records in splits.items()
    }
    content = {"name": name, **metadata, "num_samples": counts, "shards": shards}
    write_metadata(folder, content)
    return _with_files(content, folder, written=True)


def write_shards(paths: Sequence[Path], records: Iterable[bytes]) -> int:
    """Write records to files in turns, and return their number.

    The files appear only when all records are written.
    """
    count = 0
    with ExitStack() as stack:
        files = [stack.enter_context(writing(path)) for path in paths]
        for data in records:
            write_record(files[count % len(files)], data)
            count += 1
        if count < len(files):
            raise DataError(
                f"{count} records are too few for {len(files)} files such as {paths[0].name}"
            )
    for path in paths:
        load_index(path)
    return count


def find_prepared(
    output_dir: str | os.PathLike[str], name: str, required: Metadata
) -> Metadata | None:
    """Return the result of `write_splits` if the folder holds this data set, complete.

    Args:
        output_dir: the folder.
        name: the data set's name.
        required: entries that its metadata must have.

    Raises:
        DataError: the folder holds another data set, or metadata that cannot be read.
    """
    folder = Path(output_dir)
    try:
        content = json.loads((folder / META_DATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / META_DATA} is in the way and cannot be read ({error}); "
            "choose another folder, or delete it"
        ) from error
    if content.get("name") != name:
        raise DataError(
            f"{folder} holds another data set, {content.get('name')!r}; choose another folder"
        )
    for split, count in content["num_samples"].items():
        paths = _shard_paths(folder, name, split, content.get("shards", 1))
        if not all(path.is_file() for path in paths):
            return None
        if sum(len(load_index(path)) for path in paths) != count:
            return None
    if any(content.get(key) != value for key, value in required.items()):
        return None
    return _with_files(content, folder, written=False)


def _with_files(content: Metadata, folder: Path, *, written: bool) -> Metadata:
    files = {}
    for split in content["num_samples"]:
        first, *others = _shard_paths(folder, content["name"], split, content.get("shards", 1))
        pattern = first.name.replace("-00000-of-", "-*-of-") if others else first.name
        files[split] = os.fspath(folder / pattern)
    return {
        **content,
        "files": files,
        "meta_data_file": os.fspath(folder / META_DATA),
        "written": written,
    }


def _shard_paths(folder: Path, name: str, split: str, shards: int) -> list[Path]:
    if shards == 1:
        return [folder / f"{name}_{split}.tfrecord"]
    return [
        folder / f"{name}_{split}-{shard:05d}-of-{shards:05d}.tfrecord" for shard in range(shards)
    ]


def interleave_split(labels: np.ndarray, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out every n-th example of each class; return the indices of both parts."""
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_out[np.flatnonzero(labels == label)[every - 1 :: every]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
