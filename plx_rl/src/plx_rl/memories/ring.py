"""Transitions as columns: nested observations to flat names and back, and rings of preallocated arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from plx_core.errors import DataError

SEPARATOR = "/"


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """`{"state": {"image": x}}` as `("state/image", x)`."""
    for name, value in values.items():
        if not isinstance(value, np.ndarray) and isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}{SEPARATOR}")
        else:
            yield prefix + name, np.asarray(value)


def nest(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    nested: dict[str, Any] = {}
    for name, value in columns.items():
        *path, last = name.split(SEPARATOR)
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return nested


def stored_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that a column of this type is kept in: float32 for float64, which no network here computes with."""
    return np.dtype(np.float32) if dtype == np.float64 else dtype


class Ring:
    """Columns of `size` rows, the oldest overwritten first.

    A row is known by the number of rows written before it, which never changes; it is kept in place `number % size`.

    Args:
        size: how many rows are kept.
        folder: where the columns are kept as `.npy` files, for more than fits into memory; in memory when None.
    """

    def __init__(self, size: int, folder: Path | None = None) -> None:
        self.size = size
        self.columns: dict[str, np.ndarray] = {}
        self.written = 0
        self._folder = folder
        self._plan: list[tuple[str, np.ndarray, tuple[int, ...], np.dtype[Any]]] = []
        self._plan_count = 0

    @property
    def first(self) -> int:
        """The number of the oldest row that is kept."""
        return max(0, self.written - self.size)

    def write(self, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Add `count` rows, one value in each column for each.

        Raises:
            DataError: the columns, or the shapes of their rows, are not those of the rows before.
        """
        if count != self._plan_count or len(columns) != len(self._plan):
            self._make_plan(columns, count)
        begin = self.written % self.size
        end = begin + count
        for name, column, shape, dtype in self._plan:
            value = columns.get(name)
            if value is None or value.shape != shape or value.dtype != dtype:
                value = self._fitting(name, columns, shape, column.dtype)
            if end <= self.size:
                column[begin:end] = value
            else:
                column[begin:] = value[: self.size - begin]
                column[: end - self.size] = value[self.size - begin :]
        self.written += count

    def take(self, name: str, places: np.ndarray) -> Any:
        """The values of a column at these places (a row's number modulo `size`), of any shape."""
        return self.columns[name].take(places, axis=0)

    def clear(self) -> None:
        """Forget all rows; the arrays stay."""
        self.written = 0

    def state(self) -> dict[str, Any]:
        """The rows that are kept."""
        kept = min(self.written, self.size)
        return {
            "written": self.written,
            "columns": {name: column[:kept].copy() for name, column in self.columns.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Keep the rows of a state, of a ring of the same size."""
        self.written = int(state["written"])
        self.columns.clear()
        self._plan_count = 0
        for name, rows in state["columns"].items():
            if len(rows) != min(self.written, self.size):
                raise DataError(
                    f"this memory keeps {self.size} transitions, and the state is one of another size: it has {len(rows)}"
                )
            self._allocate(name, rows)
            self.columns[name][: len(rows)] = rows

    def _make_plan(self, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Note what each write of `count` rows needs, so that the next ones look nothing up."""
        if count > self.size:
            raise DataError(
                f"{count} transitions at once were added to a memory that keeps {self.size}"
            )
        if not self.columns:
            for name, value in columns.items():
                self._allocate(name, value)
        if columns.keys() != self.columns.keys():
            raise DataError(
                f"a transition of {sorted(columns)} was added to a memory of {sorted(self.columns)}"
            )
        self._plan = [
            (name, column, (count, *column.shape[1:]), columns[name].dtype)
            for name, column in self.columns.items()
        ]
        self._plan_count = count

    def _fitting(
        self, name: str, columns: Mapping[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> np.ndarray:
        if name not in columns:
            raise DataError(
                f"a transition of {sorted(columns)} was added to a memory of {sorted(self.columns)}"
            )
        value = np.asarray(columns[name])
        if value.shape != shape:
            raise DataError(
                f"{name} of shape {value.shape} was added to a memory where it has shape {shape}"
            )
        if not np.can_cast(value.dtype, dtype, "same_kind"):
            raise DataError(f"{name} of {value.dtype} was added to a memory where it is {dtype}")
        return value

    def _allocate(self, name: str, value: np.ndarray) -> None:
        shape, dtype = value.shape[1:], stored_dtype(value.dtype)
        if dtype.kind not in "biufc":
            raise DataError(f"{name} is an array of {dtype}; a memory keeps numbers")
        if self._folder is None:
            self.columns[name] = np.zeros((self.size, *shape), dtype)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{quote(name, safe='')}.npy"
        self.columns[name] = np.lib.format.open_memmap(
            path, mode="w+", dtype=dtype, shape=(self.size, *shape)
        )
