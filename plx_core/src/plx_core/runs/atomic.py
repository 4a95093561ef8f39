"""Write files and folders atomically: they appear complete or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` when the body succeeds.

    A file is flushed to disk before the rename, so that after a crash `path` has either its old
    content or all of the new content. A folder can only replace an empty folder. If the body
    raises, the temporary file or folder is removed and `path` is unchanged.

    Args:
        path: where the file or folder appears. Its parent must exist.

    Example:
        >>> with write_aside(Path("runs/a/notes.txt")) as aside:            # doctest: +SKIP
        ...     aside.write_text("done")
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        yield aside
        if aside.is_file():
            sync(aside)
        aside.replace(path)
    except BaseException:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
