"""A pipeline that reads each line of JSON when its batch needs it."""

from __future__ import annotations

import copy
import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core import Modes, Pipeline, batches, make_order
from plx_core.annotations import DataFiles, PositiveInt
from plx_core.errors import CorruptData, DataError
from plx_core.types import Array, Dataset, Features, Labels, Tensor


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


class JSONLinesPipeline(Pipeline):
    """Reads JSON objects, one a line; features and labels are float32 [batch, n].

    Args:
        data_files: one or more files; `*` and `?` are wildcards.
        features: for each feature the fields to concatenate; a field is a number or a list of
            numbers.
        labels: one or more fields; no labels when None.
        batch_size: the number of lines in a batch.
        num_epochs: the number of epochs; when None, endless in training and one otherwise.
        shuffle: whether to shuffle each epoch; in training only when None.
        drop_remainder: whether to drop a last batch that is smaller.
        mode: one of `plx_core.Modes`; plx fills it in.
        seed: the seed of the order.
    """

    def __init__(
        self,
        data_files: DataFiles,
        features: dict[str, list[str]],
        labels: str | list[str] | None = None,
        batch_size: PositiveInt = 64,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        drop_remainder: bool = False,
        mode: str = Modes.TRAIN,
        seed: int | None = None,
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
        self._order = make_order(
            len(self._lines), batch_size, num_epochs, shuffle, drop_remainder, seed, mode
        )
        self._failure: Exception | None = None

    @property
    def element_spec(self) -> tuple[Features, Labels]:
        """The features and labels of a batch as `tf.TensorSpec`, float32 [batch, n] each."""
        return self._split(
            {name: tf.TensorSpec((None, width), tf.float32) for name, width in self._widths.items()}
        )

    @property
    def num_batches(self) -> int | None:
        """The number of batches in all epochs; None when they never end."""
        return self._order.num_batches

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        return batches(self._order, self._read, start)

    def shard(self, worker: int, num_workers: int) -> JSONLinesPipeline:
        """Return the share of one of several workers."""
        share = copy.copy(self)
        share._order = self._order.shard(worker, num_workers)
        return share

    def failure(self) -> Exception | None:
        """Return the error of the line that could not be read, if any."""
        return self._failure

    def _read(self, indices: Tensor) -> tuple[Features, Labels]:
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

    def _split(self, columns: Mapping[str, Any]) -> tuple[Features, Labels]:
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
