"""Rows of CSV and Parquet files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from plx_core import BatchOptions, IndexedPipeline, Resident
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt
from plx_core.errors import CorruptData, DataError, did_you_mean
from plx_pipelines.records import find_files
from plx_pipelines.sources import OnCorrupt
from plx_pipelines.vocabularies import UNKNOWN, Vocabulary


class TablePipeline(IndexedPipeline):
    """Rows of tables, CSV (`.csv`, `.tsv`, also `.gz`) or Parquet, held in memory; read by pyarrow.

    Args:
        data_files: the files, or patterns; all with the same columns.
        features: the columns that make up each feature: `{name: [columns]}` puts numbers side by side, float32 [batch, columns]; a
            list makes each column a feature [batch] of its own type; all columns but the labels when left out.
        labels: the columns that are labels, each by its own name.
        vocabularies: files with one category a line, by column: the column's texts become their numbers, int64.
        delimiter: what stands between the values of a CSV file; a comma, or a tabulator for `.tsv`, when left out.
        on_corrupt: whether a row with too few or too many values, or none where one is used, is an error, or left out and counted.
        corrupt_budget: with `skip`, how many such rows are put up with.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
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
        groups = features if isinstance(features, Mapping) else None
        plain = (
            [name for name in table.column_names if name not in label_columns]
            if features is None
            else list(features)
        )
        used = (
            [column for columns in groups.values() for column in columns]
            if groups is not None
            else plain
        )
        _check_columns([*used, *label_columns, *(vocabularies or {})], table.column_names, files)
        if self._skips:
            table, faults = _drop_incomplete(
                table, list(dict.fromkeys([*used, *label_columns])), files, faults
            )
        if len(faults) > corrupt_budget:
            raise CorruptData(
                f"{faults[0]}; {len(faults)} are more than corrupt_budget: {corrupt_budget}"
            )
        self._left_out = len(faults)
        encoded = {name: Vocabulary.load(path) for name, path in (vocabularies or {}).items()}
        values = {
            name: column_values(table, name, encoded.get(name), files)
            for name in dict.fromkeys([*used, *label_columns])
        }
        if groups is not None:
            grouped = {
                name: np.stack([_number(values[column], column) for column in columns], axis=1)
                for name, columns in groups.items()
            }
        else:
            grouped = {name: values[name] for name in plain}
        self._parts = tf.nest.map_structure(
            Resident, (grouped, {name: values[name] for name in label_columns})
        )
        spec = tf.nest.map_structure(lambda part: part.spec, self._parts)
        super().__init__(table.num_rows, spec, None, **options)

    def counters(self) -> Mapping[str, int]:
        """How many rows were left out because values of them are missing, or too many."""
        return {"corrupt_rows": self._left_out} if self._skips else {}

    def _prepare(self) -> bool:
        return True

    def _read(self, indices: tf.Tensor) -> Any:
        return tf.nest.map_structure(lambda part: part.gather(indices), self._parts)


def read_tables(
    data_files: str | Sequence[str], delimiter: str | None, skip: bool
) -> tuple[Any, list[str], list[str]]:
    """The rows of files one after the other, a `pyarrow.Table`; the files; and what is wrong with each row that was left out.

    Args:
        data_files: the files, or patterns.
        delimiter: what stands between the values of a CSV file.
        skip: whether rows of a CSV file that have too few or too many values are left out.

    Raises:
        DataError: pyarrow is not installed, a file cannot be read, or files have different columns.
    """
    try:
        import pyarrow
        from pyarrow import csv, parquet
    except ImportError as error:
        raise DataError(
            "tables are read by pyarrow, which is not installed: pip install 'plx-pipelines[tables]'"
        ) from error
    files = find_files(data_files)
    tables, faults = [], []

    def leave_out(row: Any) -> str:
        faults.append(
            f"{path}: row {row.number} has {row.actual_columns} values, and there are {row.expected_columns} columns"
        )
        return "skip"

    for path in files:
        bare = path.removesuffix(".gz")
        options = csv.ParseOptions(
            delimiter=delimiter or ("\t" if bare.endswith(".tsv") else ","),
            invalid_row_handler=leave_out if skip else None,
        )
        alone = csv.ReadOptions(use_threads=False)  # with threads, rows have no numbers
        try:
            if bare.endswith((".csv", ".tsv")):
                tables.append(
                    csv.read_csv(path, parse_options=options, read_options=alone if skip else None)
                )
            else:
                tables.append(parquet.read_table(path))
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path} cannot be read as a table: {error}") from error
        if tables[-1].column_names != tables[0].column_names:
            raise DataError(
                f"{path} has the columns {', '.join(tables[-1].column_names)}, and {files[0]} {', '.join(tables[0].column_names)}"
            )
    return pyarrow.concat_tables(tables, promote_options="permissive"), files, faults


def _drop_incomplete(
    table: Any, columns: Sequence[str], files: Sequence[str], faults: Sequence[str]
) -> tuple[Any, list[str]]:
    """The rows that have a value in each of these columns, and what is wrong with the others."""
    import pyarrow

    whole = np.ones(table.num_rows, bool)
    for name in columns:
        whole &= table.column(name).is_valid().to_numpy()
    missing = [f"{', '.join(files)}: row {row + 1} lacks a value" for row in np.flatnonzero(~whole)]
    return table.filter(pyarrow.array(whole)), [*faults, *missing]


def column_values(
    table: Any, name: str, vocabulary: Vocabulary | None, files: Sequence[str]
) -> np.ndarray:
    """A column as an array of one axis: numbers, or texts, or the numbers of categories.

    Raises:
        DataError: a value is missing, or a category is not in the vocabulary.
    """
    column = table.column(name)
    if column.null_count:
        row = next(place for place, value in enumerate(column) if not value.is_valid)
        raise DataError(
            f"{', '.join(files)}: column {name} has no value in row {row + 1}, and in {column.null_count - 1} more"
        )
    values: np.ndarray = column.to_numpy()
    if vocabulary is not None:
        texts = [str(value) for value in values.tolist()]
        unknown = next((place for place, text in enumerate(texts) if text not in vocabulary), None)
        if unknown is not None and UNKNOWN not in vocabulary:
            raise DataError(
                f"column {name} has {texts[unknown]!r} in row {unknown + 1}, which its vocabulary lacks, as it does {UNKNOWN}"
            )
        return np.array(vocabulary.encode(texts), np.int64)
    if values.dtype == object and not all(isinstance(value, (str, bytes)) for value in values):
        raise DataError(f"column {name} holds {column.type}; a column must hold numbers or text")
    return values


def _number(values: np.ndarray, column: str) -> np.ndarray:
    if values.dtype.kind not in "biuf":
        raise DataError(
            f"column {column} holds {'text' if values.dtype == object else values.dtype}; put side by side are numbers only"
        )
    return values.astype(np.float32)


def _check_columns(wanted: Sequence[str], names: Sequence[str], files: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            raise DataError(
                f"{files[0]} has no column {name}{did_you_mean(name, names)}; it has {', '.join(names)}"
            )
