"""Rows of CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, Unpack

import numpy as np
import tensorflow as tf

from plx_core import BatchOptions, IndexedPipeline, Resident
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt
from plx_core.errors import CorruptData, DataError, did_you_mean
from plx_core.types import Nested, Tensor
from plx_pipelines.records.source import OnCorrupt
from plx_pipelines.records.tfrecord import find_files
from plx_pipelines.text.vocabularies import UNKNOWN, Vocabulary

Table: TypeAlias = Any
"""A `pyarrow.Table`."""


class TablePipeline(IndexedPipeline):
    """Rows of CSV (`.csv`, `.tsv`, also `.gz`) or Parquet files, kept in memory; needs pyarrow.

    Args:
        data_files: the files, or patterns; all with the same columns.
        features: the columns of each feature. `{name: [columns]}` stacks columns of numbers into
            one feature, float32 [batch, columns]. With a list, each column is a feature, [batch],
            of the column's dtype. None stands for a list of all columns except the labels.
        labels: the names of the columns that are labels.
        vocabularies: for a column of strings, a file with one category per line. The strings are
            converted to category ids, int64.
        delimiter: the separator of values in a CSV file; when None, a comma, or a tab for `.tsv`.
        on_corrupt: raise an error at a row with too few or too many values, or with a missing value
            in a column that is used; or skip and count it.
        corrupt_budget: with `skip`, how many corrupt rows are tolerated.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        *,
        features: dict[str, list[str]] | list[str] | None = None,
        labels: str | list[str] | None = None,
        vocabularies: dict[str, ExistingPath] | None = None,
        delimiter: str | None = None,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        self._skips = on_corrupt == "skip"
        table, files, faults = read_tables(data_files, delimiter, self._skips)
        label_columns = [labels] if isinstance(labels, str) else list(labels or ())
        if isinstance(features, Mapping):
            columns = [column for group in features.values() for column in group]
        elif features is None:
            columns = [name for name in table.column_names if name not in label_columns]
        else:
            columns = list(features)
        names = list(dict.fromkeys([*columns, *label_columns]))
        _check_columns([*names, *(vocabularies or {})], table.column_names, files)
        if self._skips:
            table, faults = _drop_incomplete(table, names, files, faults)
        if len(faults) > corrupt_budget:
            raise CorruptData(
                f"{faults[0]}; {len(faults)} are more than corrupt_budget: {corrupt_budget}"
            )
        self._num_skipped = len(faults)
        categories = {name: Vocabulary.load(path) for name, path in (vocabularies or {}).items()}
        self._num_classes = {
            name: len(categories[name]) for name in label_columns if name in categories
        }
        self._files = ", ".join(files)
        values = {name: column_values(table, name, categories.get(name), files) for name in names}
        if isinstance(features, Mapping):
            arrays = {
                name: np.stack([_as_float(values[column], column) for column in group], axis=1)
                for name, group in features.items()
            }
        else:
            arrays = {name: values[name] for name in columns}
        self._parts = tf.nest.map_structure(
            Resident, (arrays, {name: values[name] for name in label_columns})
        )
        spec = tf.nest.map_structure(lambda part: part.spec, self._parts)
        super().__init__(table.num_rows, spec, **options)

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of categories of labels with a vocabulary, by the name of the label."""
        return self._num_classes

    def counters(self) -> Mapping[str, int]:
        """Return the number of rows that were skipped because of missing or surplus values."""
        return {"corrupt_rows": self._num_skipped} if self._skips else {}

    def _prepare(self) -> bool:
        return True

    def _locate(self, index: int) -> str:
        return f"{self._files}: row {index + 1}{' of the intact ones' * bool(self._num_skipped)}"

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        features, labels = tf.nest.map_structure(lambda part: part.gather(indices), self._parts)
        return features, labels


def read_tables(
    data_files: str | Sequence[str], delimiter: str | None, skip: bool
) -> tuple[Table, list[str], list[str]]:
    """Read the rows of files, one file after the other.

    Args:
        data_files: the files, or patterns.
        delimiter: the separator of values in a CSV file; see `TablePipeline`.
        skip: whether to skip rows of a CSV file that have too few or too many values.

    Returns:
        The table, the files, and a description of each row that was skipped.

    Raises:
        DataError: pyarrow is not installed, a file cannot be read, or files have different columns.
    """
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError as error:
        raise DataError(
            "tables need pyarrow, which is not installed: pip install 'plx-pipelines[tables]'"
        ) from error
    files = find_files(data_files)
    tables, faults = [], []

    def skip_row(row: csv.InvalidRow) -> str:
        faults.append(
            f"{path}: row {row.number} has {row.actual_columns} values, and there are "
            f"{row.expected_columns} columns"
        )
        return "skip"

    for path in files:
        name = path.removesuffix(".gz")
        options = csv.ParseOptions(
            delimiter=delimiter or ("\t" if name.endswith(".tsv") else ","),
            invalid_row_handler=skip_row if skip else None,
        )
        # pyarrow numbers the rows only when it reads without threads.
        read_options = csv.ReadOptions(use_threads=False) if skip else None
        try:
            if name.endswith((".csv", ".tsv")):
                table = csv.read_csv(path, parse_options=options, read_options=read_options)
            else:
                table = parquet.read_table(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read as a table: {error}") from error
        tables.append(table)
        if table.column_names != tables[0].column_names:
            raise DataError(
                f"{path} has the columns {', '.join(table.column_names)}, but {files[0]} has "
                f"{', '.join(tables[0].column_names)}"
            )
    return pyarrow.concat_tables(tables, promote_options="permissive"), files, faults


def _drop_incomplete(
    table: Table, columns: Sequence[str], files: Sequence[str], faults: Sequence[str]
) -> tuple[Table, list[str]]:
    """Drop the rows without a value in one of these columns, and add them to the faults."""
    import pyarrow

    complete = np.ones(table.num_rows, bool)
    for name in columns:
        complete &= table.column(name).is_valid().to_numpy()
    missing = [
        f"{', '.join(files)}: row {row + 1} has a missing value"
        for row in np.flatnonzero(~complete)
    ]
    return table.filter(pyarrow.array(complete)), [*faults, *missing]


def column_values(
    table: Table, name: str, vocabulary: Vocabulary | None, files: Sequence[str]
) -> np.ndarray:
    """Return the numbers, strings or category ids of a column: [rows].

    Raises:
        DataError: a value is missing, or a category is not in the vocabulary.
    """
    column = table.column(name)
    if column.null_count:
        row = next(index for index, value in enumerate(column) if not value.is_valid)
        raise DataError(
            f"{', '.join(files)}: column {name} has no value in row {row + 1}; values missing from "
            f"this column: {column.null_count}"
        )
    values: np.ndarray = column.to_numpy()
    if vocabulary is not None:
        return _category_ids([str(value) for value in values.tolist()], name, vocabulary)
    if values.dtype == object and not all(isinstance(value, (str, bytes)) for value in values):
        raise DataError(f"column {name} holds {column.type}; a column must hold numbers or strings")
    return values


def _category_ids(categories: list[str], column: str, vocabulary: Vocabulary) -> np.ndarray:
    if UNKNOWN not in vocabulary:
        for row, category in enumerate(categories):
            if category not in vocabulary:
                raise DataError(
                    f"column {column} has {category!r} in row {row + 1}, which is not in its "
                    f"vocabulary; nor is {UNKNOWN}"
                )
    return np.array(vocabulary.encode(categories), np.int64)


def _as_float(values: np.ndarray, column: str) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        kind = "strings" if values.dtype == object else values.dtype
        raise DataError(
            f"column {column} holds {kind}; only columns of numbers can be stacked into a feature"
        )
    return values.astype(np.float32)


def _check_columns(names: Sequence[str], columns: Sequence[str], files: Sequence[str]) -> None:
    for name in names:
        if name not in columns:
            raise DataError(
                f"{files[0]} has no column {name}{did_you_mean(name, columns)}; it has "
                f"{', '.join(columns)}"
            )
