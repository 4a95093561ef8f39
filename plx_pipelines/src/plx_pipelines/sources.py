"""Serialized records, in memory or on disk, as TensorFlow reads them: any of them, in any order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core import Resident
from plx_core.errors import CorruptData, DataError
from plx_pipelines.records import HEADER, Fault, RecordReader, find_files, load_index

OnCorrupt: TypeAlias = Literal["error", "skip"]

RESIDENT_BYTES = 256 * 2**20
"""Records that take no more than this are kept in memory unless the pipeline is told otherwise."""


class RecordSource:
    """The records of TFRecord files.

    Args:
        data_files: files or patterns.
        on_corrupt: `error` stops at the first record that is not what was written; `skip` leaves such records out. To keep the
            order a plain function, they are looked for before the first batch, which reads every file once.
        corrupt_budget: with `skip`, how many unreadable places are put up with.
        resident: whether the records' bytes are kept in memory; None for when they take less than 256 MiB.

    Raises:
        CorruptData: a file is damaged, or damaged beyond the budget.
        DataError: there is no such file, or no record in any of them.
    """

    def __init__(
        self,
        data_files: str | Sequence[str],
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: int = 100,
        resident: bool | None = None,
    ) -> None:
        self.files = find_files(data_files)
        indexes = [load_index(path, verify=on_corrupt == "skip") for path in self.files]
        self._skips = on_corrupt == "skip"
        self.faults = [fault for index in indexes for fault in index.faults]
        _judge(self.faults, corrupt_budget if self._skips else 0, self._skips)
        self._reader = RecordReader(indexes)
        if not len(self._reader):
            raise DataError(f"there is no record in {', '.join(self.files)}")
        self.failure: Exception | None = None
        self._resident: Resident | None = None
        self._keep = self._reader.num_bytes <= RESIDENT_BYTES if resident is None else resident

    def __len__(self) -> int:
        return len(self._reader)

    @property
    def lengths(self) -> np.ndarray:
        """The bytes of each record: int64 [n]."""
        return self._reader.lengths

    def counters(self) -> Mapping[str, int]:
        """How many places were left out as unreadable, and how many bytes with them."""
        if not self._skips:
            return {}
        return {
            "corrupt_records": len(self.faults),
            "corrupt_bytes": sum(fault.lost_bytes for fault in self.faults),
        }

    def locate(self, number: int) -> str:
        """The file, the record's place in it, and its first byte."""
        index, place = self._reader.locate(number)
        return (
            f"{index.path}: record {index.numbers[place]} at byte {index.offsets[place] - HEADER}"
        )

    def first(self) -> bytes:
        """The first record."""
        return self._reader.read(np.zeros(1, np.int64))[0]

    def load(self) -> None:
        """Read all records into memory, if they are to be kept there."""
        if self._keep and self._resident is None:
            self._resident = Resident(self._reader.read(np.arange(len(self))))

    def read(self, indices: tf.Tensor) -> tf.Tensor:
        """The records at int64 [b] indices: string [b]."""
        if self._resident is not None:
            return self._resident.gather(indices)
        records = tf.numpy_function(self._read, [indices], tf.string, stateful=False)
        records.set_shape(indices.shape)
        return records

    def _read(self, indices: np.ndarray) -> np.ndarray:
        try:
            return np.array(self._reader.read(indices), object)
        except Exception as error:
            self.failure = error  # TensorFlow hands on no more than the text of what was raised
            raise


def _judge(faults: Sequence[Fault], budget: int, skips: bool) -> None:
    if len(faults) <= budget:
        return
    more = f", and {len(faults) - 1} more like it" if len(faults) > 1 else ""
    hint = (
        f"; {len(faults)} are more than corrupt_budget: {budget}"
        if skips
        else "; on_corrupt: skip would leave it out"
    )
    raise CorruptData(f"{faults[0]}, which costs {faults[0].lost_bytes} bytes{more}{hint}")
