"""TFRecord files in plain Python: write, index, verify, and read at any place.

A record is a little-endian uint64 length, a masked CRC32C of those 8 bytes, the data, and a masked CRC32C of the data
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details).
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

import google_crc32c
import numpy as np
from attrs import field, frozen

from plx_core import cache_dir
from plx_core.errors import CorruptData, DataError

HEADER = 12
FOOTER = 4
INDEX_FORMAT = 1
_CRC_DELTA = 0xA282EAD8


@frozen
class Fault:
    """A record that cannot be read, and how many bytes of the file are lost with it."""

    path: str
    record: int
    offset: int
    reason: str
    lost_bytes: int

    def __str__(self) -> str:
        return f"{self.path}: record {self.record} at byte {self.offset}: {self.reason}"


@frozen(eq=False)
class Index:
    """Where the readable records of one file are.

    Attributes:
        offsets: int64 [n], the first byte of each record's data.
        lengths: int64 [n], the bytes of each record's data.
        numbers: int64 [n], the place of each record in the file, counted from 0; unreadable ones leave gaps.
        faults: what cannot be read.
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
    """The checksum that a TFRecord file holds of these bytes."""
    crc: int = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _CRC_DELTA) & 0xFFFFFFFF


def write_record(file: IO[bytes], data: bytes) -> None:
    """Append one record."""
    length = struct.pack("<Q", len(data))
    file.write(
        length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
    )


def write_records(path: str | os.PathLike[str], records: Iterable[bytes]) -> int:
    """Write a file, which appears under its name only when it is complete; how many records there were."""
    count = 0
    with writing(Path(path)) as file:
        for data in records:
            write_record(file, data)
            count += 1
    return count


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its name, synced to the disk, only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o644)
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def scan(path: str | os.PathLike[str], *, verify: bool = True) -> Index:
    """Walk a file from its start to its end.

    Args:
        path: the file.
        verify: check the data of each record too; else only the lengths are read and checked.

    Returns:
        The readable records, and the faults. After a wrong length nothing more can be found, so the rest of the file is lost.
    """
    name = os.fspath(path)
    found: list[tuple[int, int, int]] = []
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
                faults.append(
                    Fault(
                        name, number, offset, "the data does not match its checksum", end - offset
                    )
                )
            else:
                found.append((offset + HEADER, length, number))
            file.seek(end)
            offset, number = end, number + 1
    columns = np.array(found, np.int64).reshape(-1, 3).T
    return Index(name, columns[0], columns[1], columns[2], tuple(faults), verify)


def load_index(path: str | os.PathLike[str], *, verify: bool = False) -> Index:
    """The index of a file: remembered from an earlier scan where the file's size and time are the same, else made.

    It is kept beside the file, or in the user's cache folder where that is not possible.
    """
    places = _index_places(Path(path))
    status = Path(path).stat()
    stamp = (status.st_size, status.st_mtime_ns)
    for place in places:
        index = _read_index(place, os.fspath(path), stamp)
        if index is not None and (index.verified or not verify):
            return index
    index = scan(path, verify=verify)
    for place in places:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _write_index(place, index, stamp)
            break
        except OSError:
            continue  # an index that cannot be kept costs the next start a scan and nothing else
    return index


class RecordReader:
    """Records of several files by number, in any order; each is checked against its checksum every time.

    Files are read with `pread`: it lets other threads go on meanwhile, and a file that shrinks is an error, where a
    memory map would end the process.
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
        """The bytes of data of each record: int64 [n]."""
        return self._lengths

    @property
    def num_bytes(self) -> int:
        """How many bytes of data the records hold."""
        return int(self._lengths.sum())

    def read(self, numbers: np.ndarray) -> list[bytes]:
        """The data of the records of these numbers, int64 [b].

        Raises:
            CorruptData: a record is not what was written; file, record and byte offset are named.
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
        """Let go of the files."""
        self._close()

    def locate(self, number: int) -> tuple[Index, int]:
        """The file of a record, and the record's place in the file's index."""
        for index in self._indexes:
            if number < len(index):
                return index, number
            number -= len(index)
        raise IndexError(number)

    def _explain(self, numbers: np.ndarray, blocks: Sequence[bytes]) -> None:
        for number, block in zip(numbers.tolist(), blocks, strict=True):
            wanted = int(self._lengths[number]) + FOOTER
            if _is_intact(block) and len(block) == wanted:
                continue
            index, row = self.locate(number)
            short = (
                f"the file ends {wanted - len(block)} bytes before the record does"
                if len(block) < wanted
                else ""
            )
            reason = short or "the data does not match its checksum"
            raise CorruptData(
                str(
                    Fault(
                        index.path,
                        int(index.numbers[row]),
                        int(index.offsets[row]) - HEADER,
                        reason,
                        wanted,
                    )
                )
            )


def _close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _header_fault(header: bytes, left: int) -> str:
    if len(header) < HEADER:
        return f"the file ends after {len(header)} of the {HEADER} bytes that a record begins with"
    length, crc = struct.unpack("<QI", header)
    if crc != masked_crc(header[:8]):
        compressed = (
            "; the file is compressed with gzip: decompress it first"
            if header.startswith(b"\x1f\x8b")
            else ""
        )
        return f"the length does not match its checksum{compressed}"
    if HEADER + length + FOOTER > left:
        return f"the file ends {HEADER + length + FOOTER - left} bytes before the record does"
    return ""


def _is_intact(block: bytes) -> bool:
    return (
        len(block) >= FOOTER and struct.pack("<I", masked_crc(block[:-FOOTER])) == block[-FOOTER:]
    )


def _index_places(path: Path) -> list[Path]:
    digest = sha256(os.fsencode(path.resolve())).hexdigest()[:24]
    return [path.with_name(f".{path.name}.index"), cache_dir() / "indexes" / f"{digest}.index"]


def _write_index(place: Path, index: Index, stamp: tuple[int, int]) -> None:
    faults = [(fault.record, fault.offset, fault.lost_bytes) for fault in index.faults]
    buffer = io.BytesIO()
    np.savez(
        buffer,
        header=np.array([INDEX_FORMAT, *stamp, index.verified], np.int64),
        records=np.stack([index.offsets, index.lengths, index.numbers]),
        faults=np.array(faults, np.int64).reshape(-1, 3),
        reasons=np.array([fault.reason for fault in index.faults], np.str_),
    )
    with writing(place) as file:
        file.write(buffer.getvalue() + struct.pack("<I", masked_crc(buffer.getvalue())))


def _read_index(place: Path, path: str, stamp: tuple[int, int]) -> Index | None:
    try:
        content = place.read_bytes()
    except OSError:
        return None
    if not _is_intact(content):
        return None  # it can be made again
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
    """The files that paths and patterns (`*`, `?`) name, each once, in a fixed order.

    Raises:
        DataError: a path or pattern names no file.
    """
    found: dict[str, None] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        path = Path(pattern).expanduser()
        matches = (
            [path]
            if path.is_file()
            else sorted(match for match in path.parent.glob(path.name) if match.is_file())
        )
        if not matches:
            raise DataError(f"there is no file {pattern}")
        found.update({os.fspath(match): None for match in matches})
    return list(found)
