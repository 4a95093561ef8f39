"""Save checkpoints atomically, with a manifest of hashes.

A checkpoint is a folder `checkpoints/000001000` with `state.json` (numbers, strings and the
structure of the state), `state.safetensors` (its arrays) and `manifest.json` (size and SHA-256 of
the other two). A torn checkpoint is skipped but not deleted. A step that is saved again appears as
`000001000.new` before the older checkpoint is put away, so that there always is a whole one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from attrs import define, field

from plx_core.errors import CheckpointError, RunFileError
from plx_core.runs.atomic import hidden, sweep, sync, write_aside
from plx_core.state import State

logger = logging.getLogger(__name__)

STATE, ARRAYS, MANIFEST = "state.json", "state.safetensors", "manifest.json"
FORMAT = 1
NAME = re.compile(r"^(\d{9,})(\.new)?$")
ARRAY_KEY = "$array"
DTYPES = frozenset(
    (
        "bool",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        "float32",
        "float64",
        "complex64",
    )
)
DEFECTS = frozenset((errno.EIO, errno.EISDIR, errno.ENOTDIR))
"""The errors of reading a checkpoint that make it a torn one; others may be gone the next time."""
FOREVER = 10_000.0
"""A number of hours that means never, as in `tf.estimator`."""

_Json: TypeAlias = Any
"""A value of `state.json`, with references instead of arrays."""


@define
class Checkpoints:
    """The checkpoints of one run.

    Args:
        directory: the folder of the checkpoints.
        keep_max: how many of the newest to keep; None keeps all.
        keep_every_n_hours: besides those, keep one checkpoint per this many hours.
        best: returns a checkpoint to keep besides those, or None.
    """

    directory: Path = field(converter=Path)
    keep_max: int | None = 5
    keep_every_n_hours: float = FOREVER
    best: Callable[[], Path | None] = field(default=lambda: None, eq=False)
    _is_whole: dict[Path, bool] = field(factory=dict, init=False)

    def save(self, step: int, state: State) -> Path:
        """Write a state, then delete the checkpoints that need not be kept.

        Returns:
            The path of the checkpoint.

        Raises:
            CheckpointError: it cannot be written, for example because the disk is full. Earlier
                checkpoints are untouched.
        """
        target = self.directory / f"{step:09d}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._settle()
            is_free = not target.exists()
            with write_aside(target if is_free else _successor(target)) as aside:
                _write(aside, step, state)
            self._settle()
            sync(self.directory)
        except OSError as error:
            self._is_whole.clear()
            raise CheckpointError(
                f"cannot write checkpoint {target}: {error.strerror or error}; earlier checkpoints "
                "are untouched"
            ) from error
        self._is_whole[target] = True
        self._prune()
        return target

    def paths(self) -> list[Path]:
        """Return the checkpoints, oldest first, including torn ones."""
        try:
            paths = [path for path in self.directory.iterdir() if NAME.match(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise CheckpointError(
                f"the checkpoints in {self.directory} cannot be listed: {error.strerror}"
            ) from error
        return sorted(paths, key=lambda path: (step_of(path), path.name))

    def path_of(self, step: int) -> Path:
        """Return the checkpoint of a step; the path it would have if there is none."""
        target = self.directory / f"{step:09d}"
        successor = _successor(target)
        return successor if successor.exists() else target

    def latest(self) -> Path | None:
        """Return the newest whole checkpoint; skip torn ones with a warning."""
        return next((path for path in reversed(self.paths()) if self.is_whole(path)), None)

    def is_whole(self, path: Path) -> bool:
        """Return whether a checkpoint is whole; warn of one that is not, once."""
        if path not in self._is_whole:
            fault = verify(path)
            self._is_whole[path] = not fault
            if fault:
                logger.warning("checkpoint %s is not whole and is skipped: %s", path, fault)
        return self._is_whole[path]

    def _settle(self) -> None:
        """Let the checkpoints that were saved again take the places of the older ones.

        At each moment, one of the two is visible: a crash or an error loses neither. An older one
        that is torn stays visible under another name.
        """
        for successor in self.paths():
            target = successor.with_name(successor.name.removesuffix(".new"))
            if successor == target:
                continue
            if target.exists():
                put_away = hidden(target)
                if verify(target):
                    token = put_away.name.rpartition("-")[2]
                    put_away = target.with_name(f"{target.name}.torn-{token}")
                target.rename(put_away)
            successor.replace(target)
            self._is_whole.pop(successor, None)
            self._is_whole.pop(target, None)

    def _prune(self) -> None:
        # Verifies the newest: torn checkpoints are left for the user and not counted.
        self.latest()
        paths = [path for path in self.paths() if self._is_whole.get(path, True)]
        surplus = paths[: -self.keep_max] if self.keep_max is not None else []
        best = self.best() if surplus else None
        last_time = -float("inf")
        for path in surplus:
            written = _time_of(path)
            is_due = written - last_time >= self.keep_every_n_hours * 3600
            if self.keep_every_n_hours < FOREVER and is_due:
                last_time = written
            elif path != best:
                with suppress(OSError):
                    path.rename(hidden(path))  # a crash amid its removal leaves no torn one
        sweep(self.directory)


def _successor(target: Path) -> Path:
    return target.with_name(f"{target.name}.new")


def step_of(path: Path) -> int:
    """Return the global step of a checkpoint.

    Raises:
        CheckpointError: the path is not a checkpoint's.
    """
    match = NAME.match(path.name)
    if match is None:
        raise CheckpointError(
            f"{path} is not a checkpoint; a checkpoint is a folder such as checkpoints/000001000"
        )
    return int(match[1])


def verify(path: Path) -> str:
    """Return why a checkpoint is not whole, or an empty string if it is."""
    try:
        _read(path)
    except CheckpointError as error:
        return str(error)
    return ""


def load(path: Path) -> dict[str, Any]:
    """Return the state in a checkpoint.

    Raises:
        CheckpointError: the checkpoint is not whole, or has another format.
    """
    from safetensors.numpy import load as load_arrays

    try:
        files = _read(path)
    except CheckpointError as error:
        raise CheckpointError(f"checkpoint {path} cannot be read: {error}") from error
    stored = json.loads(files[STATE])
    if stored["format"] != FORMAT:
        raise CheckpointError(
            f"checkpoint {path} has format {stored['format']}; this plx reads format {FORMAT}"
        )
    return dict(_restore_arrays(stored["state"], load_arrays(files[ARRAYS])))


def _read(path: Path) -> dict[str, bytes]:
    """Return the content of a checkpoint's files, verified in memory.

    Raises:
        CheckpointError: a file is missing or corrupt.
        RunFileError: a file cannot be read for another reason, which does not make it torn.
    """
    files = {}
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())["files"]
        for name in (STATE, ARRAYS):
            content = (path / name).read_bytes()
            size = manifest[name]["bytes"]
            if len(content) != size:
                raise CheckpointError(f"{name} has {len(content)} bytes, not {size}")
            if hashlib.sha256(content).hexdigest() != manifest[name]["sha256"]:
                raise CheckpointError(f"{name} is corrupt")
            files[name] = content
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {Path(error.filename).name}") from error
    except OSError as error:
        if error.errno not in DEFECTS:
            raise RunFileError(f"{error.filename} cannot be read: {error.strerror}") from error
        raise CheckpointError(f"{error.filename} is corrupt: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        message = f"its manifest is corrupt: {type(error).__name__}: {error}"
        raise CheckpointError(message) from error
    return files


def _write(directory: Path, step: int, state: State) -> None:
    from safetensors.numpy import save as save_arrays

    arrays: dict[str, np.ndarray] = {}
    skeleton = _take_arrays(state, "", arrays)
    stored = json.dumps({"format": FORMAT, "step": step, "state": skeleton}).encode()
    directory.mkdir()
    files = {
        ARRAYS: _write_file(directory / ARRAYS, save_arrays(arrays)),
        STATE: _write_file(directory / STATE, stored),
    }
    manifest = {"step": step, "time": time.time(), "files": files}
    _write_file(directory / MANIFEST, json.dumps(manifest).encode())
    sync(directory)


def _write_file(path: Path, content: bytes) -> dict[str, Any]:
    """Write a file, flush it to disk, and return its entry in the manifest.

    The entry has the hash of the content in memory, so that a wrong write is noticed.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _take_arrays(value: object, path: str, arrays: dict[str, np.ndarray]) -> _Json:
    """Copy the arrays of a state to `arrays`, and return the state with references to them."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or name == ARRAY_KEY:
                raise CheckpointError(
                    f"the names in a state are strings other than {ARRAY_KEY}; {path} has {name!r}"
                )
        return {
            str(name): _take_arrays(item, f"{path}/{name}" if path else str(name), arrays)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_take_arrays(item, f"{path}/{index}", arrays) for index, item in enumerate(value)]
    if isinstance(value, (np.ndarray, np.generic)):
        if str(value.dtype) not in DTYPES:
            raise CheckpointError(
                f"a checkpoint holds arrays of numbers; {path} has dtype {value.dtype}"
            )
        # "a/b" may be one name or two, and safetensors uses "__metadata__" itself.
        is_free = path not in arrays and path != "__metadata__"
        key = path if is_free else f"{path}#{len(arrays)}"
        # A copy in C order: safetensors writes the buffer in its memory order.
        arrays[key] = np.array(value, order="C", copy=True)
        return {ARRAY_KEY: key}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"a state holds arrays, numbers and strings; {path} is a {type(value).__name__}"
    )


def _restore_arrays(value: _Json, arrays: Mapping[str, np.ndarray]) -> _Json:
    if isinstance(value, dict):
        if set(value) == {ARRAY_KEY}:
            return arrays[value[ARRAY_KEY]]
        return {name: _restore_arrays(item, arrays) for name, item in value.items()}
    if isinstance(value, list):
        return [_restore_arrays(item, arrays) for item in value]
    return value


def _time_of(path: Path) -> float:
    try:
        return float(json.loads((path / MANIFEST).read_bytes())["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
