"""TFRecord files in plain Python: write, index, verify, and read in any order.

A record is a little-endian uint64 length, a masked CRC32C of those 8 bytes, the data, and a masked
CRC32C of the data
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

from __future__ import annotations

import fnmatch
import io
import os
import struct
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

import google_crc32c
import numpy as np
from attrs import field, frozen

from plx_core import cache_dir, write_aside
from plx_core.errors import CorruptData, DataError

HEADER = 12
FOOTER = 4
INDEX_FORMAT = 1
BAD_DATA = "the data does not match its checksum"
_CRC_DELTA = 0xA282EAD8


@frozen
class Fault:
    """A corrupt record, and the number of bytes of the file that are lost with it."""

    path: str
    record: int
    offset: int
    reason: str
    lost_bytes: int

    def __str__(self) -> str:
        return f"{self.path}: record {self.record} at byte {self.offset}: {self.reason}"


@frozen(eq=False)
class Index:
    """The positions of the intact records of one file.

    Attributes:
        path: the file.
        offsets: int64 [n], the first byte of each record's data.
        lengths: int64 [n], the number of bytes of each record's data.
        numbers: int64 [n], the number of each record in the file, from 0; corrupt records leave
            gaps.
        faults: the corrupt records.
        verified: whether the data was checked, not only the lengths.
    """

    path: str
    offsets: np.ndarray
    lengths: np.ndarray
    numbers: np.ndarray
    faults: Sequence[Fault] = field(factory=tuple)
    verified: bool = False

    def __len__(self) -> int:
        return len(self.offsets)


def masked_crc(data: bytes) -> int:
    """Return the checksum of these bytes, as a TFRecord file stores it."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _CRC_DELTA) & 0xFFFFFFFF


def write_record(file: IO[bytes], data: bytes) -> None:
    """Append one record."""
    length = struct.pack("<Q", len(data))
    file.write(
        length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
    )


def write_records(path: str | os.PathLike[str], records: Iterable[bytes]) -> int:
    """Write a file, which appears only when it is complete, and return the number of records."""
    count = 0
    with writing(Path(path)) as file:
        for data in records:
            write_record(file, data)
            count += 1
    return count


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears at `path` only when the block succeeds; create its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_aside(path) as aside, aside.open("wb") as file:
        yield file


def scan(path: str | os.PathLike[str], *, verify: bool = True) -> Index:
    """Index a file by reading it from start to end.

    Args:
        path: the file.
        verify: also check the data of each record; otherwise only read and check the lengths.

    Returns:
        The intact records, and the faults. After a corrupt length the next record cannot be
        located, so the rest of the file is lost.
    """
    name = os.fspath(path)
    rows: list[tuple[int, int, int]] = []
    faults: list[Fault] = []
    with Path(path).open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = number = 0
        while offset < size:
            header = file.read(HEADER)
            reason = _header_fault(header, size - offset)
            if reason:
                faults.append(Fault(name, number, offset, reason, size - offset))
                break
            (length,) = struct.unpack_from("<Q", header)
            end = offset + HEADER + length + FOOTER
            if verify and not _is_intact(file.read(length + FOOTER)):
                faults.append(Fault(name, number, offset, BAD_DATA, end - offset))
            else:
                rows.append((offset + HEADER, length, number))
            file.seek(end)
            offset, number = end, number + 1
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Index(name, columns[0], columns[1], columns[2], tuple(faults), verify)


def load_index(path: str | os.PathLike[str], *, verify: bool = False) -> Index:
    """Return the index of a file: a stored one if the file's size and time match, else a new one.

    The index is stored beside the file or, if that is not possible, in the user's cache folder.
    """
    index_paths = _index_paths(Path(path))
    status = Path(path).stat()
    stamp = (status.st_size, status.st_mtime_ns)
    for index_path in index_paths:
        index = _read_index(index_path, os.fspath(path), stamp)
        if index is not None and (index.verified or not verify):
            return index
    index = scan(path, verify=verify)
    for index_path in index_paths:
        try:
            _write_index(index_path, index, stamp)
            break
        except OSError:
            continue  # without a stored index, the next start only has to scan the file again
    return index


class RecordReader:
    """Records of several files by number, in any order; each read verifies the checksum.

    Files are read with `pread`: it does not block other threads, and a file that was truncated
    raises an error, while a memory map would crash the process.
    """

    def __init__(self, indexes: Sequence[Index]) -> None:
        self._indexes = list(indexes)
        descriptors = [os.open(index.path, os.O_RDONLY) for index in indexes]
        self._close = weakref.finalize(self, _close_all, descriptors)
        sizes = [len(index) for index in indexes]
        self._descriptors = np.repeat(np.array(descriptors, np.int64), sizes)
        self._offsets = np.concatenate(
            [np.empty(0, np.int64), *(index.offsets for index in indexes)]
        )
        self._lengths = np.concatenate(
            [np.empty(0, np.int64), *(index.lengths for index in indexes)]
        )

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def lengths(self) -> np.ndarray:
        """The number of bytes of data of each record: int64 [n]."""
        return self._lengths

    @property
    def num_bytes(self) -> int:
        """The number of bytes of data in all records."""
        return int(self._lengths.sum())

    def read(self, numbers: np.ndarray) -> list[bytes]:
        """Return the data of the records with these numbers, int64 [b].

        Raises:
            CorruptData: a record does not match its checksum; the message names the file, the
                record and the byte offset.
        """
        columns = (
            self._descriptors[numbers].tolist(),
            (self._lengths[numbers] + FOOTER).tolist(),
            self._offsets[numbers].tolist(),
        )
        blocks = list(map(os.pread, *columns))
        records = [block[:-FOOTER] for block in blocks]
        crcs = np.array([google_crc32c.value(record) for record in records], np.uint32)
        masked = (crcs >> np.uint32(15) | crcs << np.uint32(17)) + np.uint32(_CRC_DELTA)
        if masked.astype("<u4").tobytes() != b"".join([block[-FOOTER:] for block in blocks]):
            self._explain(numbers, blocks)
        return records

    def close(self) -> None:
        """Close the files."""
        self._close()

    def locate(self, number: int) -> tuple[Index, int]:
        """Return the index of the file of a record, and the row of the record in it."""
        for index in self._indexes:
            if number < len(index):
                return index, number
            number -= len(index)
        raise IndexError(number)

    def _explain(self, numbers: np.ndarray, blocks: Sequence[bytes]) -> None:
        for number, block in zip(numbers.tolist(), blocks, strict=True):
            size = int(self._lengths[number]) + FOOTER
            if _is_intact(block) and len(block) == size:
                continue
            index, row = self.locate(number)
            reason = BAD_DATA
            if len(block) < size:
                reason = f"the file ends {size - len(block)} bytes before the record does"
            offset = int(index.offsets[row]) - HEADER
            fault = Fault(index.path, int(index.numbers[row]), offset, reason, size)
            raise CorruptData(str(fault))


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _header_fault(header: bytes, left: int) -> str:
    if len(header) < HEADER:
        return f"the file ends after {len(header)} of the {HEADER} bytes of a record's header"
    length, crc = struct.unpack("<QI", header)
    if crc != masked_crc(header[:8]):
        reason = "the length does not match its checksum"
        if header.startswith(b"\x1f\x8b"):
            reason += "; the file is compressed with gzip: decompress it first"
        return reason
    missing = HEADER + length + FOOTER - left
    if missing > 0:
        return f"the file ends {missing} bytes before the record does"
    return ""


def _is_intact(block: bytes) -> bool:
    return (
        len(block) >= FOOTER and struct.pack("<I", masked_crc(block[:-FOOTER])) == block[-FOOTER:]
    )


def _index_paths(path: Path) -> list[Path]:
    digest = sha256(os.fsencode(path.resolve())).hexdigest()[:24]
    return [path.with_name(f".{path.name}.index"), cache_dir() / "indexes" / f"{digest}.index"]


def _write_index(index_path: Path, index: Index, stamp: tuple[int, int]) -> None:
    faults = [(fault.record, fault.offset, fault.lost_bytes) for fault in index.faults]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.array([INDEX_FORMAT, *stamp, index.verified], np.int64),
        records=np.stack([index.offsets, index.lengths, index.numbers]),
        faults=np.array(faults, np.int64).reshape(-1, 3),
        reasons=np.array([fault.reason for fault in index.faults], np.str_),
    )
    with writing(index_path) as file:
        file.write(buffer.getvalue() + struct.pack("<I", masked_crc(buffer.getvalue())))


def _read_index(index_path: Path, path: str, stamp: tuple[int, int]) -> Index | None:
    try:
        content = index_path.read_bytes()
    except OSError:
        return None
    if not _is_intact(content):
        return None  # the caller scans the file again
    with np.load(io.BytesIO(content[:-FOOTER]), allow_pickle=False) as stored:
        number, *stored_stamp, verified = stored["header"].tolist()
        if number != INDEX_FORMAT or tuple(stored_stamp) != stamp:
            return None
        rows = zip(stored["faults"].tolist(), stored["reasons"].tolist(), strict=True)
        faults = tuple(
            Fault(path, record, offset, reason, lost) for (record, offset, lost), reason in rows
        )
        offsets, lengths, numbers = stored["records"]
        return Index(path, offsets, lengths, numbers, faults, bool(verified))


def find_files(patterns: str | Sequence[str]) -> list[str]:
    """Return the files that match paths and patterns (`*`, `?`), each once, in a fixed order.

    Raises:
        DataError: a path or pattern matches no file.
    """
    files: dict[str, None] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        path = Path(pattern).expanduser()
        matches = [path]
        if not path.is_file():
            matches = _matches(path)
        if not matches:
            raise DataError(f"there is no file {pattern}")
        files.update({os.fspath(match): None for match in matches})
    return list(files)


def _matches(path: Path) -> list[Path]:
    if not path.parent.is_dir():
        return []
    # Not `Path.glob`, for which `**` is every folder below.
    names = fnmatch.filter((match.name for match in path.parent.iterdir()), path.name)
    return sorted(match for name in names if (match := path.parent / name).is_file())
