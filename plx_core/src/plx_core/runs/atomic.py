"""Write files and folders atomically: they appear complete or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LEFTOVER = re.compile(r"^\..+-[0-9a-f]{8}$")


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the body succeeds.

    A file is flushed to disk before the rename, so that after a crash `path` has either its old
    content or all of the new content. A folder can only replace an empty folder. If the body
    raises, the temporary file or folder is removed and `path` is unchanged. A process that is
    killed leaves it behind; `sweep` removes it.

    Args:
        path: where the file or folder appears. Its parent must exist.

    Example:
        >>> with write_aside(Path("runs/a/notes.txt")) as aside:            # doctest: +SKIP
        ...     aside.write_text("done")
    """
    aside = hidden(path)
    try:
        yield aside
        if aside.is_file():
            sync(aside)
        aside.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error is the one to report
            _remove(aside)
        raise


def hidden(path: Path) -> Path:
    """Return a new hidden name beside a path, which `sweep` removes."""
    return path.with_name(f".{path.name}-{secrets.token_hex(4)}")


def sweep(folder: Path) -> None:
    """Remove what processes that were killed have left under hidden names in a folder.

    What cannot be removed stays: it is in nobody's way.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if _LEFTOVER.match(path.name):
                with suppress(OSError):
                    _remove(path)


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
