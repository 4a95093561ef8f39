"""The `meta_data.json` beside record files, which describes their content."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from plx_core.errors import DataError
from plx_pipelines.records.tfrecord import writing

META_DATA = "meta_data.json"

Metadata: TypeAlias = Mapping[str, Any]
"""The content of a metadata file; functions that write data sets add the `files` by split."""


def read_metadata(path: str | os.PathLike[str], required: Mapping[str, type]) -> Metadata:
    """Return the content of a metadata file.

    Args:
        path: the file.
        required: the required keys, and their types.

    Raises:
        DataError: there is no such file, it is not a JSON object, or a key is missing or has the
            wrong type.
    """
    try:
        content: Metadata = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"the metadata {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"the metadata {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"the metadata {path} must be a JSON object, not {type(content).__name__}")
    for key, kind in required.items():
        value = content.get(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(f"the metadata {path} needs {key}: {kind.__name__}; got {value!r}")
    return content


def num_classes_of(content: Metadata, labels: Sequence[str]) -> Mapping[str, int]:
    """Return the number of classes by label: that in the metadata, if there is one label.

    Raises:
        DataError: `num_classes` is not a positive integer.
    """
    count = content.get("num_classes")
    if count is None or len(labels) != 1:
        return {}
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise DataError(f"the metadata has num_classes {count!r}; expected a positive integer")
    return {labels[0]: count}


def write_metadata(folder: str | os.PathLike[str], content: Metadata) -> Path:
    """Write `meta_data.json` into a folder, atomically."""
    path = Path(folder) / META_DATA
    with writing(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")
    return path
