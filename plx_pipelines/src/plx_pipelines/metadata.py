"""The `meta_data.json` beside record files, which says what they hold."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plx_core.errors import DataError
from plx_pipelines.records import writing

META_DATA = "meta_data.json"


def read_metadata(path: str | os.PathLike[str], required: Mapping[str, type]) -> dict[str, Any]:
    """The content of a metadata file.

    Args:
        path: the file.
        required: the keys that must be there, and their types.

    Raises:
        DataError: there is no such file, it is not a JSON object, or a key is missing or of another type.
    """
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"the metadata {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"the metadata {path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"the metadata {path} must be a JSON object, not {type(found).__name__}")
    for key, kind in required.items():
        if not isinstance(found.get(key), kind) or isinstance(found[key], bool):
            raise DataError(
                f"the metadata {path} needs {key}: {kind.__name__}; got {found.get(key)!r}"
            )
    return found


def write_metadata(folder: str | os.PathLike[str], content: Mapping[str, Any]) -> Path:
    """Write `meta_data.json` in a folder, where it appears complete or not at all."""
    path = Path(folder) / META_DATA
    with writing(path) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")
    return path
