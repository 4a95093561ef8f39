"""Files of a data set as they are distributed: in a tar archive, or in the folder that it unpacks to."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from re import Pattern

from plx_core.errors import DataError


def read_members(folder: Path, archive: str, wanted: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, which is read as a stream and never unpacked; or, where it is not there, of the folder itself.

    Args:
        folder: where the archive, or what was in it, lies.
        archive: the archive's name.
        wanted: what the end of a file's path has to be like.

    Yields:
        The match's text and the file's content, in the archive's order, or by name.

    Raises:
        DataError: the archive is not one, or cut off; or there is no such file.
    """
    path = folder / archive
    found = _in_archive(path, wanted) if path.is_file() else _in_folder(folder, wanted)
    empty = True
    for name, content in found:
        empty = False
        yield name, content
    if empty:
        raise DataError(
            f"{path if path.is_file() else folder} has no file whose path ends like {wanted.pattern}; {archive} has them"
        )


def _in_archive(path: Path, wanted: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path) as files:
            for member in files:
                match = wanted.search(member.name)
                file = files.extractfile(member) if match and member.isfile() else None
                if match and file:
                    yield match[0], file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _in_folder(folder: Path, wanted: Pattern[str]) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        match = wanted.search(path.relative_to(folder).as_posix())
        if match and path.is_file():
            yield match[0], path.read_bytes()
