"""The forms of strings that a config checks: file names, paths and regular expressions."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

MAX_NAME_BYTES = 200
"""The longest name of a file; file systems take 255 bytes, and a temporary name is longer."""
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def matching_paths(pattern: str) -> list[str]:
    """Return the files and folders that match a path, whose last part may have `*`, `?` and `[…]`.

    Raises:
        OSError: the folder cannot be read.
        ValueError: another part than the last has wildcards, or the path is neither a file nor a
            folder.
    """
    path = Path(pattern)
    if path.is_file() or path.is_dir():
        return [pattern]
    if os.path.lexists(path):
        raise ValueError("it is neither a file nor a folder")
    if glob.has_magic(str(path.parent)):
        raise ValueError("only the last part of a path may have wildcards")
    if not glob.has_magic(path.name) or not path.parent.is_dir():
        return []
    with os.scandir(path.parent) as entries:
        return sorted(
            str(path.parent / entry.name)
            for entry in entries
            if fnmatch.fnmatchcase(entry.name, path.name)
            and (path.name.startswith(".") or not entry.name.startswith("."))
            and (entry.is_file() or entry.is_dir())
        )


def _file_name(text: str) -> str:
    if text.strip() in ("", ".", ".."):
        return "it names no file"
    if "/" in text or "\\" in text:
        return "it has a slash"
    return _path(text)


def _path(text: str) -> str:
    if not text:
        return "it is empty"
    if CONTROL.search(text):
        return "it has a control character"
    if any(len(os.fsencode(part)) > MAX_NAME_BYTES for part in Path(text).parts):
        return f"it is longer than {MAX_NAME_BYTES} bytes"
    return ""


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return ""


FORMATS: Mapping[str, Callable[[str], str]] = {
    "file-name": _file_name,
    "path": _path,
    "regex": _regex,
}
"""Functions by format that return what is wrong with a string, or an empty string."""
FORMAT_WORDS: Mapping[str, str] = {
    "file-name": "a name without slashes",
    "path": "a path",
    "regex": "a regular expression",
}
