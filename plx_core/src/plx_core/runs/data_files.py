"""Describe the data that a run reads, so that a change under the same name is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from plx_core.errors import DataError

Record: TypeAlias = dict[str, Any]
"""The number of `files`, their `bytes`, when the newest was `modified` (in ns), the hash of the
`listing` (names, sizes and times), by which unchanged files are known, and the `sha256`."""

Records: TypeAlias = dict[str, dict[str, Record]]
"""Records by the key of the config that names the files, and by path."""

WHOLE_BYTES = 64 * 2**20
"""Files up to this size are read whole for their digest; of larger ones, samples are read."""
SAMPLES, SAMPLE_BYTES = 64, 2**20
MOST_FILES_READ = 1000
"""The number of files of a folder that are read for its digest; of others, the name and size."""


def describe_files(files: Mapping[str, Sequence[str]], earlier: Records) -> Records:
    """Return the records of files and folders.

    Args:
        files: the paths, by the key of the config that names them.
        earlier: earlier records; a digest is taken from them where size and time are the same.

    Raises:
        DataError: a file cannot be read.
    """
    return {
        key: {path: _record(Path(path), earlier.get(key, {}).get(path)) for path in paths}
        for key, paths in files.items()
    }


def changes(earlier: Records, now: Records) -> list[str]:
    """Return a description of each file whose content is another, and of new and missing files."""
    described = []
    for key in earlier.keys() & now.keys():
        for path in sorted(earlier[key].keys() | now[key].keys()):
            old, new = earlier[key].get(path), now[key].get(path)
            if old is None:
                described.append(f"{path} is new")
            elif new is None:
                described.append(f"{path} is missing")
            elif old.get("sha256") != new["sha256"]:
                described.append(f"{path} has other content ({_sizes(old, new)})")
    return sorted(set(described))


def _sizes(old: Record, new: Record) -> str:
    if old.get("files") != new["files"]:
        return f"{old.get('files')} files before, {new['files']} now"
    if old.get("bytes") != new["bytes"]:
        return f"{old.get('bytes')} bytes before, {new['bytes']} now"
    return f"of the same size, {new['bytes']} bytes"


def _record(path: Path, earlier: Record | None) -> Record:
    try:
        files = sorted(_files(path))
        states = [file.stat() for file in files]
        names = [file.relative_to(path).as_posix() for file in files]
        listing = [
            (name, state.st_size, state.st_mtime_ns)
            for name, state in zip(names, states, strict=True)
        ]
        record = {
            "files": len(files),
            "bytes": sum(state.st_size for state in states),
            "modified": max((state.st_mtime_ns for state in states), default=0),
            "listing": hashlib.sha256(repr(listing).encode()).hexdigest(),
        }
        if earlier is not None and earlier.items() >= record.items():
            return earlier
        digest = hashlib.sha256()
        stride = -(-len(files) // MOST_FILES_READ) or 1
        for index, (file, (name, size, _)) in enumerate(zip(files, listing, strict=True)):
            digest.update(f"{name}\0{size}\0".encode())
            if index % stride == 0:
                _add_content(digest, file, size)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}") from error
    return {**record, "sha256": digest.hexdigest()}


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder that are not hidden."""
    if not path.is_dir():
        yield path
        return
    for child in path.iterdir():
        if not child.name.startswith("."):
            yield from _files(child)


def _add_content(digest: hashlib._Hash, path: Path, size: int) -> None:
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            while block := file.read(SAMPLE_BYTES):
                digest.update(block)
            return
        for index in range(SAMPLES):
            file.seek((size - SAMPLE_BYTES) * index // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_BYTES))
