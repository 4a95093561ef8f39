"""Examples to sharded record files and their metadata, which are complete or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.encoding import Encoding, encode_labelled_image
from plx_pipelines.metadata import META_DATA, write_metadata
from plx_pipelines.records import load_index, write_record, writing

Split: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Images, uint8 [n, height, width, channels], and labels, int [n]."""


def prepare_images(
    name: str,
    output_dir: str,
    encoding: Encoding,
    load: Callable[[], Mapping[str, Split]],
    classes: Sequence[str],
) -> Mapping[str, Any]:
    """Write `<name>_<split>.tfrecord` for each split, and `meta_data.json`, unless they are there already.

    Args:
        name: the data set's name.
        output_dir: a folder, made if need be.
        encoding: how images are kept.
        load: gives the splits by name; called only when something is to be written.
        classes: what each label stands for.

    Returns:
        The metadata, and the `files` by split.
    """
    done = find_prepared(output_dir, name, {"image_format": encoding})
    if done is not None:
        return done
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
    """What `TFRecordImagePipeline` and its user have to know of images [height, width, channels] and their classes."""
    height, width, channels = shape
    return {
        "height": height,
        "width": width,
        "channels": channels,
        "image_format": encoding,
    } | class_metadata(classes)


def class_metadata(classes: Sequence[str]) -> dict[str, Any]:
    """How many classes there are, and what each label stands for."""
    return {
        "num_classes": len(classes),
        "labels_to_classes": {str(label): text for label, text in enumerate(classes)},
    }


def write_splits(
    output_dir: str | os.PathLike[str],
    name: str,
    splits: Mapping[str, Iterable[bytes]],
    metadata: Mapping[str, Any],
    shards: int = 1,
) -> Mapping[str, Any]:
    """Write the records of each split, and `meta_data.json` last, so that its presence says that all is there.

    Args:
        output_dir: a folder, made if need be.
        name: what the files' names begin with.
        splits: serialized records by split.
        metadata: what is to be known of them besides their number.
        shards: over how many files each split is spread, in turns.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: a split has fewer records than there are files.
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
    """Write records into files in turns; all take their names when the last record is written. How many records there were."""
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
    output_dir: str | os.PathLike[str], name: str, wanted: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """What `write_splits` returned, if the folder holds this data set as wanted, and whole.

    Args:
        output_dir: the folder.
        name: the data set's name.
        wanted: values that its metadata must have.

    Raises:
        DataError: the folder holds another data set, or one that cannot be told.
    """
    folder = Path(output_dir)
    try:
        content = json.loads((folder / META_DATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder / META_DATA} is in the way and cannot be read ({error}); choose another folder, or delete it"
        ) from error
    if content.get("name") != name:
        raise DataError(
            f"{folder} holds another data set, {content.get('name')!r}; choose another folder"
        )
    paths = {
        split: _shard_paths(folder, name, split, content.get("shards", 1))
        for split in content["num_samples"]
    }
    whole = all(
        all(path.is_file() for path in paths[split])
        and sum(len(load_index(path)) for path in paths[split]) == count
        for split, count in content["num_samples"].items()
    )
    same = all(content.get(key) == value for key, value in wanted.items())
    return _with_files(content, folder, written=False) if whole and same else None


def _with_files(content: Mapping[str, Any], folder: Path, *, written: bool) -> Mapping[str, Any]:
    files = {}
    for split in content["num_samples"]:
        first, *others = _shard_paths(folder, content["name"], split, content.get("shards", 1))
        files[split] = os.fspath(
            first.with_name(first.name.replace("-00000-of-", "-*-of-")) if others else first
        )
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
    """The places of training and held-out examples: within each class every `every`-th example is held out."""
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        held_out[np.flatnonzero(labels == label)[every - 1 :: every]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
