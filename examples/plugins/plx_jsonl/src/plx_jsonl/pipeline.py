"""Lines of JSON, each read when its batch is."""

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


class Lines:
    """The lines of some files, by number; what is kept is where each begins.

    Args:
        paths: the files, in their order.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        starts: list[tuple[int, int]] = []
        for index, path in enumerate(paths):
            with path.open("rb") as file:
                position = 0
                for line in file:
                    if line.strip():
                        starts.append((index, position))
                    position += len(line)
        self._starts = np.array(starts, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._starts)

    def read(self, number: int) -> dict[str, Any]:
        """The object on a line.

        Raises:
            CorruptData: it is none.
        """
        index, position = self._starts[number].tolist()
        path = self._paths[index]
        with path.open("rb") as file:
            file.seek(position)
            text = file.readline()
        try:
            record = json.loads(text)
        except ValueError as error:
            raise CorruptData(f"{path}, at byte {position}: not a line of JSON: {error}") from error
        if not isinstance(record, dict):
            raise CorruptData(
                f"{path}, at byte {position}: expected an object, got a {type(record).__name__}"
            )
        return record


class JSONLinesPipeline(Pipeline):
    """Objects of JSON, one a line; features float32 [batch, n] by name, and labels float32 [batch, n].

    Args:
        data_files: a file, or several; `*` and `?` match several.
        features: what each feature is made of: fields of numbers or of lists of numbers, one after the other.
        labels: a field, or several; no labels when None.
        batch_size: how many lines make a batch.
        num_epochs: how often all are gone through; for ever in training when None, else once.
        shuffle: whether each epoch has an order of its own; in training only when None.
        drop_remainder: whether a short last batch is left out.
        mode: one of `plx_core.Modes`; filled in by core.
        seed: of the order.
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
        paths = [Path(path) for pattern in patterns for path in sorted(glob.glob(pattern))]  # noqa: PTH207 (patterns may be absolute)
        if not paths:
            raise DataError(f"there is no file {', '.join(patterns)}")
        self._lines = Lines(paths)
        if not len(self._lines):
            raise DataError(f"there is no line in {', '.join(map(str, paths))}")
        self._columns = {f"feature {name}": fields for name, fields in features.items()}
        if labels is not None:
            self._columns["labels"] = [labels] if isinstance(labels, str) else labels
        self._widths = {
            name: len(_row(self._lines.read(0), name, fields))
            for name, fields in self._columns.items()
        }
        self._order = make_order(
            len(self._lines), batch_size, num_epochs, shuffle, drop_remainder, seed, mode
        )
        self._failure: Exception | None = None

    @property
    def element_spec(self) -> tuple[dict[str, tf.TensorSpec], Any]:
        """Float32 [batch, n] each."""
        return self._split(
            {name: tf.TensorSpec((None, width), tf.float32) for name, width in self._widths.items()}
        )

    @property
    def num_batches(self) -> int | None:
        """How many batches there are in all epochs; None when they never end."""
        return self._order.num_batches

    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on."""
        return batches(self._order, self._read, start)

    def shard(self, worker: int, num_workers: int) -> JSONLinesPipeline:
        """The part of one of several workers."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def failure(self) -> Exception | None:
        """The line that could not be read, where there was one."""
        return self._failure

    def _read(self, indices: tf.Tensor) -> Any:
        columns = tf.numpy_function(self._rows, [indices], [tf.float32] * len(self._columns))
        return self._split(
            {
                name: tf.ensure_shape(column, (None, self._widths[name]))
                for name, column in zip(self._columns, columns, strict=True)
            }
        )

    def _rows(self, indices: np.ndarray) -> list[np.ndarray]:
        try:
            records = [self._lines.read(index) for index in indices.tolist()]
            rows = {
                name: [_row(record, name, fields) for record in records]
                for name, fields in self._columns.items()
            }
            for name, values in rows.items():
                if any(len(value) != self._widths[name] for value in values):
                    raise CorruptData(
                        f"{name} has {self._widths[name]} numbers in the first line, and another count in a later one"
                    )
            return [np.array(values, np.float32) for values in rows.values()]
        except CorruptData as error:
            self._failure = error
            raise

    def _split(self, columns: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        return {
            name.removeprefix("feature "): column
            for name, column in columns.items()
            if name != "labels"
        }, columns.get("labels", {})


def _row(record: Mapping[str, Any], name: str, fields: Sequence[str]) -> list[float]:
    """The numbers of some fields, one after the other."""
    numbers: list[float] = []
    for field in fields:
        value = record.get(field)
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(number, (int, float)) for number in values):
            raise CorruptData(
                f"{name}: the field {field} holds {value!r}; it has to hold a number, or a list of numbers"
            )
        numbers += values
    return numbers
