"""Read serialized records by index within a TensorFlow graph, from memory or from disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core import Resident
from plx_core.errors import CorruptData, DataError
from plx_pipelines.records.tfrecord import HEADER, Fault, RecordReader, find_files, load_index

OnCorrupt: TypeAlias = Literal["error", "skip"]

RESIDENT_BYTES = 256 * 2**20
"""By default, records of at most this size in total are kept in memory."""


class RecordSource:
    """The records of TFRecord files.

    Args:
        data_files: files or patterns.
        on_corrupt: `error` stops at the first corrupt record; `skip` leaves corrupt records out.
            For that it verifies every file once before the first batch, so that the order of
            batches stays a function of the seed.
        corrupt_budget: with `skip`, how many corrupt records are tolerated.
        resident: whether to keep the records in memory; when None, if they take at most 256 MiB.

    Raises:
        CorruptData: a file is corrupt, or has more corrupt records than the budget.
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
        _check_budget(self.faults, corrupt_budget if self._skips else 0, self._skips)
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
        """The number of bytes of each record: int64 [n]."""
        return self._reader.lengths

    def counters(self) -> Mapping[str, int]:
        """Return the number of corrupt records that were skipped, and of their bytes."""
        if not self._skips:
            return {}
        return {
            "corrupt_records": len(self.faults),
            "corrupt_bytes": sum(fault.lost_bytes for fault in self.faults),
        }

    def locate(self, number: int) -> str:
        """Describe a record by its file, its number in the file, and its first byte."""
        index, row = self._reader.locate(number)
        return f"{index.path}: record {index.numbers[row]} at byte {index.offsets[row] - HEADER}"

    def first(self) -> bytes:
        """Return the first record."""
        return self._reader.read(np.zeros(1, np.int64))[0]

    def load(self) -> None:
        """Read all records into memory, if the source keeps them there."""
        if self._keep and self._resident is None:
            self._resident = Resident(self._reader.read(np.arange(len(self))))

    def read(self, indices: tf.Tensor) -> tf.Tensor:
        """Return the records, string [b], at these indices, int64 [b]."""
        if self._resident is not None:
            return self._resident.gather(indices)
        records = tf.numpy_function(self._read, [indices], tf.string, stateful=False)
        records.set_shape(indices.shape)
        return records

    def _read(self, indices: np.ndarray) -> np.ndarray:
        try:
            return np.array(self._reader.read(indices), object)
        except Exception as error:
            self.failure = error  # TensorFlow passes on only the message
            raise


def _check_budget(faults: Sequence[Fault], budget: int, skips: bool) -> None:
    if len(faults) <= budget:
        return
    message = f"{faults[0]} ({faults[0].lost_bytes} bytes lost)"
    if len(faults) > 1:
        message += f", the first of {len(faults)} corrupt records"
    if skips:
        raise CorruptData(f"{message}; {len(faults)} are more than corrupt_budget: {budget}")
    raise CorruptData(f"{message}; set on_corrupt: skip to leave out corrupt records")
