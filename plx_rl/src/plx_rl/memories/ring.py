"""Rings of preallocated arrays, and flat names for nested observations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import numpy as np

from plx_core import State
from plx_core.errors import DataError
from plx_core.types import Nested

SEPARATOR = "/"
DType: TypeAlias = "np.dtype[np.generic]"


def flatten(values: Mapping[str, Nested], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """Yield the arrays of nested mappings: `{"state": {"image": x}}` gives `("state/image", x)`."""
    for name, value in values.items():
        if not isinstance(value, np.ndarray) and isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}{SEPARATOR}")
        else:
            yield prefix + name, np.asarray(value)


def nest(columns: Mapping[str, np.ndarray]) -> dict[str, Nested]:
    """Return nested mappings of arrays; the inverse of `flatten`."""
    nested: dict[str, Nested] = {}
    for name, value in columns.items():
        *path, last = name.split(SEPARATOR)
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nested


def stored_dtype(dtype: DType) -> DType:
    """Return the dtype in which values are stored: float32 for float64, otherwise the same."""
    return np.dtype(np.float32) if dtype == np.float64 else dtype


class Ring:
    """Columns of `size` rows; the oldest rows are overwritten.

    The number of a row is the count of rows written before it, and never changes. A row is stored
    at index `number % size`.

    Args:
        size: how many rows are stored.
        folder: the folder of the columns' `.npy` files, if they do not fit into memory; None to
            store them in memory.
    """

    def __init__(self, size: int, folder: Path | None = None) -> None:
        self.size = size
        self.columns: dict[str, np.ndarray] = {}
        self.num_written = 0
        self._folder = folder
        self._plan: list[tuple[str, np.ndarray, tuple[int, ...], DType]] = []
        self._plan_count = 0

    @property
    def first(self) -> int:
        """The number of the oldest row."""
        return max(0, self.num_written - self.size)

    def write(self, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Add `count` rows.

        Raises:
            DataError: the names, shapes or dtypes of the columns differ from those of earlier rows.
        """
        if count != self._plan_count or len(columns) != len(self._plan):
            self._make_plan(columns, count)
        begin = self.num_written % self.size
        end = begin + count
        for name, column, shape, dtype in self._plan:
            value = columns.get(name)
            if value is None or value.shape != shape or value.dtype != dtype:
                value = self._checked(name, columns, shape, column.dtype)
            if end <= self.size:
                column[begin:end] = value
            else:
                column[begin:] = value[: self.size - begin]
                column[: end - self.size] = value[self.size - begin :]
        self.num_written += count

    def take(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Return the values of a column at indices (row numbers modulo `size`) of any shape."""
        return self.columns[name].take(indices, axis=0)

    def clear(self) -> None:
        """Remove all rows; the arrays remain allocated."""
        self.num_written = 0

    def state(self) -> State:
        """Return the rows."""
        count = min(self.num_written, self.size)
        return {
            "written": self.num_written,
            "columns": {name: column[:count].copy() for name, column in self.columns.items()},
        }

    def restore(self, state: State) -> None:
        """Continue from a state of a ring of the same size."""
        self.num_written = int(state["written"])
        self.columns.clear()
        self._plan_count = 0
        for name, rows in state["columns"].items():
            if len(rows) != min(self.num_written, self.size):
                raise DataError(
                    f"the state has {len(rows)} transitions, from a memory of another size; "
                    f"this memory has size {self.size}"
                )
            self._allocate(name, rows)
            self.columns[name][: len(rows)] = rows

    def _make_plan(self, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Prepare writes of `count` rows, so that each of them looks nothing up."""
        if count > self.size:
            raise DataError(
                f"cannot add {count} transitions at once to a memory of size {self.size}"
            )
        if not self.columns:
            for name, value in columns.items():
                self._allocate(name, value)
        if columns.keys() != self.columns.keys():
            raise self._other_names(columns)
        self._plan = [
            (name, column, (count, *column.shape[1:]), columns[name].dtype)
            for name, column in self.columns.items()
        ]
        self._plan_count = count

    def _checked(
        self, name: str, columns: Mapping[str, Nested], shape: tuple[int, ...], dtype: DType
    ) -> np.ndarray:
        if name not in columns:
            raise self._other_names(columns)
        value = np.asarray(columns[name])
        if value.shape != shape:
            raise DataError(
                f"cannot add {name} of shape {value.shape} to a memory that stores shape {shape}"
            )
        if not np.can_cast(value.dtype, dtype, "same_kind"):
            raise DataError(
                f"cannot add {name} of dtype {value.dtype} to a memory that stores dtype {dtype}"
            )
        return value

    def _other_names(self, columns: Mapping[str, Nested]) -> DataError:
        return DataError(
            f"cannot add a transition with {sorted(columns)} to a memory of transitions with "
            f"{sorted(self.columns)}"
        )

    def _allocate(self, name: str, value: np.ndarray) -> None:
        shape, dtype = value.shape[1:], stored_dtype(value.dtype)
        if dtype.kind not in "biufc":
            raise DataError(f"{name} has dtype {dtype}; a memory stores only numbers")
        if self._folder is None:
            self.columns[name] = np.zeros((self.size, *shape), dtype)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{quote(name, safe='')}.npy"
        self.columns[name] = np.lib.format.open_memmap(
            path, mode="w+", dtype=dtype, shape=(self.size, *shape)
        )
