"""Download files to the user's cache folder, and verify their checksums."""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from plx_core import cache_dir
from plx_core.errors import DataError
from plx_pipelines.records.tfrecord import writing

_CHUNK = 1 << 16
_TIMEOUT = 30


@frozen
class Remote:
    """The name of a file to download, and the SHA-256 of its content."""

    name: str
    sha256: str


def download(address: str, files: Iterable[Remote], name: str) -> Path:
    """Return the folder of these files, after downloading those that are missing or corrupt.

    Args:
        address: the address of the files, to which their names are appended.
        files: the files.
        name: the folder's name in the cache.

    Raises:
        DataError: a file cannot be downloaded, or has the wrong checksum.
    """
    folder = cache_dir() / "downloads" / name
    for remote in files:
        path = folder / remote.name
        if not path.is_file() or _digest(path) != remote.sha256:
            _fetch(address + remote.name, path, remote.sha256)
    return folder


def _fetch(url: str, path: Path, sha256: str) -> None:
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer, writing(path) as file:
            with _progress(path.name, int(answer.headers.get("Content-Length") or 0)) as advance:
                while chunk := answer.read(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    advance(len(chunk))
            if digest.hexdigest() != sha256:
                raise DataError(
                    f"{url} has the SHA-256 {digest.hexdigest()}; {sha256} was expected"
                )
    except (urllib.error.URLError, OSError, EOFError) as error:
        reason = getattr(error, "reason", error)
        raise DataError(
            f"{url} cannot be downloaded: {reason}; give a folder of local files with --source"
        ) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total or None)
        yield lambda count: progress.advance(task, count)
