"""A pipeline that reads each line of JSON when its batch needs it."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from plx_core import BatchOptions, IndexedPipeline
from plx_core.annotations import DataFiles
from plx_core.errors import CorruptData, DataError
from plx_core.types import Array, Labels, Tensor


class Lines:
    """The lines of some files, by number; only the offset of each line is in memory.

    Args:
        paths: the files, in order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        offsets: list[tuple[int, int]] = []
        for index, path in enumerate(paths):
            with path.open("rb") as file:
                offset = 0
                for line in file:
                    if line.strip():
                        offsets.append((index, offset))
                    offset += len(line)
        self._offsets = np.array(offsets, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._offsets)

    def read(self, number: int) -> dict[str, Any]:
        """Return the object on a line.

        Raises:
            CorruptData: the line is not a JSON object.
        """
        index, offset = self._offsets[number].tolist()
        path = self._paths[index]
        with path.open("rb") as file:
            file.seek(offset)
            line = file.readline()
        try:
            record = json.loads(line)
        except ValueError as error:
            raise CorruptData(f"{path}, at byte {offset}: not a line of JSON: {error}") from error
        if not isinstance(record, dict):
            raise CorruptData(
                f"{path}, at byte {offset}: expected an object, got a {type(record).__name__}"
            )
        return record


class JSONLinesPipeline(IndexedPipeline):
    """Reads JSON objects, one a line; features and labels are float32 [batch, n].

    Args:
        data_files: one or more files; `*` and `?` are wildcards.
        features: for each feature the fields to concatenate; a field is a number or a list of
            numbers.
        labels: one or more fields; no labels when None.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        features: dict[str, list[str]],
        labels: str | list[str] | None = None,
        **options: Unpack[BatchOptions],
    ) -> None:
        patterns = [data_files] if isinstance(data_files, str) else data_files
        # glob.glob and not Path.glob, which refuses absolute patterns.
        names = [name for pattern in patterns for name in sorted(glob.glob(pattern))]  # noqa: PTH207
        if not names:
            raise DataError(f"there is no file {', '.join(patterns)}")
        self._lines = Lines([Path(name) for name in names])
        if not len(self._lines):
            raise DataError(f"there is no line in {', '.join(names)}")
        self._columns = {f"feature {name}": fields for name, fields in features.items()}
        if labels is not None:
            self._columns["labels"] = [labels] if isinstance(labels, str) else labels
        first = self._lines.read(0)
        self._widths = {
            name: len(_row(first, name, fields)) for name, fields in self._columns.items()
        }
        self._failure: Exception | None = None
        specs = {
            name: tf.TensorSpec((None, width), tf.float32) for name, width in self._widths.items()
        }
        super().__init__(len(self._lines), self._split(specs), **options)

    def failure(self) -> Exception | None:
        """Return the error of the line that could not be read, if any."""
        return self._failure

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Labels]:
        columns = tf.numpy_function(self._rows, [indices], [tf.float32] * len(self._columns))
        return self._split(
            {
                name: tf.ensure_shape(column, (None, self._widths[name]))
                for name, column in zip(self._columns, columns, strict=True)
            }
        )

    def _rows(self, indices: Array) -> list[Array]:
        try:
            records = [self._lines.read(index) for index in indices.tolist()]
            return [self._column(records, name, fields) for name, fields in self._columns.items()]
        except CorruptData as error:
            self._failure = error
            raise

    def _column(self, records: list[dict[str, Any]], name: str, fields: Sequence[str]) -> Array:
        rows = [_row(record, name, fields) for record in records]
        width = self._widths[name]
        for row in rows:
            if len(row) != width:
                raise CorruptData(
                    f"{name}: the first line has {width} numbers, and a later one {len(row)}"
                )
        return np.array(rows, np.float32)

    def _split(self, columns: Mapping[str, Any]) -> tuple[dict[str, Tensor], Labels]:
        features = {
            name.removeprefix("feature "): column
            for name, column in columns.items()
            if name != "labels"
        }
        return features, columns.get("labels", {})


def _row(record: Mapping[str, Any], name: str, fields: Sequence[str]) -> list[float]:
    """Return the numbers of some fields, concatenated."""
    numbers: list[float] = []
    for field in fields:
        value = record.get(field)
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(number, (int, float)) for number in values):
            raise CorruptData(
                f"{name}: expected a number or a list of numbers in {field}, got {value!r}"
            )
        numbers += values
    return numbers
