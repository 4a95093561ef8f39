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
    """The lines of files, by number; only their positions are kept in memory.

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
    """JSON objects, one a line; features and labels are float32 [batch, n].

    Args:
        data_files: one or more files; `*` and `?` are wildcards.
        features: for each feature, the fields to concatenate; a field is a number or a list of
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
        self._features = list(features)
        self._columns = list(features.values())
        if labels is not None:
            self._columns.append([labels] if isinstance(labels, str) else labels)
        first = self._lines.read(0)
        self._specs = [
            tf.TensorSpec((None, len(_numbers(first, fields))), tf.float32)
            for fields in self._columns
        ]
        super().__init__(len(self._lines), self._split(self._specs), **options)

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Labels]:
        columns = tf.numpy_function(self._rows, [indices], [spec.dtype for spec in self._specs])
        return self._split(
            [
                tf.ensure_shape(column, spec.shape)
                for column, spec in zip(columns, self._specs, strict=True)
            ]
        )

    def _split(self, columns: Sequence[Tensor]) -> tuple[dict[str, Tensor], Labels]:
        """Split columns into features by name and labels."""
        count = len(self._features)
        features = dict(zip(self._features, columns[:count], strict=True))
        return features, columns[count] if len(columns) > count else {}

    def _rows(self, indices: Array) -> list[Array]:
        """Read the columns, float32 [b, n] each, of lines."""
        records = [self._lines.read(index) for index in indices.tolist()]
        columns = []
        for fields, spec in zip(self._columns, self._specs, strict=True):
            rows = [_numbers(record, fields) for record in records]
            if any(len(row) != spec.shape[1] for row in rows):
                raise CorruptData(
                    f"expected {spec.shape[1]} numbers in {', '.join(fields)}, as in the first line"
                )
            columns.append(np.array(rows, np.float32))
        return columns


def _numbers(record: Mapping[str, Any], fields: Sequence[str]) -> list[float]:
    """Return the numbers in fields, concatenated."""
    numbers: list[float] = []
    for field in fields:
        value = record.get(field)
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(number, (int, float)) for number in values):
            raise CorruptData(f"expected a number or a list of numbers in {field}, got {value!r}")
        numbers += values
    return numbers
