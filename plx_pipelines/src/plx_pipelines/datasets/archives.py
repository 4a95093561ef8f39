"""Read the files of a data set from its tar archive, or from the unpacked folder."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from re import Pattern

from plx_core.errors import DataError


def read_members(folder: Path, archive: str, pattern: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """Read the matching files of an archive or, if there is no archive, of the folder.

    The archive is read as a stream, without unpacking it.

    Args:
        folder: the folder of the archive, or of its unpacked files.
        archive: the archive's name.
        pattern: a pattern to search in the path of each file.

    Yields:
        The matching part of the path and the file's content. An archive's files come in its own
        order, a folder's files in the order of their names.

    Raises:
        DataError: the archive is corrupt or truncated, or no file matches.
    """
    path = folder / archive
    is_archive = path.is_file()
    members = _in_archive(path, pattern) if is_archive else _in_folder(folder, pattern)
    empty = True
    for name, content in members:
        empty = False
        yield name, content
    if empty:
        raise DataError(
            f"{path if is_archive else folder} has no file with a path like {pattern.pattern}; "
            f"{archive} has such files"
        )


def _in_archive(path: Path, pattern: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as files:
            for member in files:
                match = pattern.search(member.name)
                file = files.extractfile(member) if match and member.isfile() else None
                if match and file:
                    yield match[0], file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _in_folder(folder: Path, pattern: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        match = pattern.search(path.relative_to(folder).as_posix())
        if match and path.is_file():
            yield match[0], path.read_bytes()
