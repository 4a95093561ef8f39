"""Checkpoints that are whole or not there: written aside, synced, renamed, with a manifest of hashes.

A checkpoint is a folder `checkpoints/000001000` with `state.json` (numbers, texts and the shape of the state), `state.safetensors`
(its arrays) and `manifest.json` (size and SHA-256 of the other two). A torn one is skipped and left where it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field

from plx_core.errors import CheckpointError
from plx_core.state import State

logger = logging.getLogger(__name__)

STATE, ARRAYS, MANIFEST = "state.json", "state.safetensors", "manifest.json"
FORMAT = 1
NAME = re.compile(r"^\d{9,}$")
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
FOREVER = 10_000.0
"""A number of hours that stands for never, as it did in `tf.estimator`."""


@define
class Checkpoints:
    """The checkpoints of one run.

    Args:
        directory: the folder that holds them.
        keep_max: how many of the newest are kept; all when None.
        keep_every_n_hours: besides those, one for each such number of hours is kept.
    """

    directory: Path = field(converter=Path)
    keep_max: int | None = 5
    keep_every_n_hours: float = FOREVER
    _verified: dict[Path, bool] = field(factory=dict, init=False)

    def save(self, step: int, state: State) -> Path:
        """Write a state, then remove what need not be kept.

        Raises:
            CheckpointError: it cannot be written (a full disk, a folder that is read-only); earlier ones are untouched.
        """
        target = self.directory / f"{step:09d}"
        aside = self.directory / f".{target.name}-{secrets.token_hex(4)}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _write(aside, step, state)
            if target.exists():  # the same step again, after a rollback
                target.rename(self._name_for_replaced(target))
            aside.rename(target)
            _sync(self.directory)
        except OSError as error:
            shutil.rmtree(aside, ignore_errors=True)
            raise CheckpointError(
                f"cannot write checkpoint {target}: {error.strerror or error}; earlier checkpoints are untouched"
            ) from error
        self._verified[target] = True
        self._prune()
        return target

    def paths(self) -> list[Path]:
        """The checkpoints, oldest first; they may be torn."""
        if not self.directory.is_dir():
            return []
        return sorted(
            (path for path in self.directory.iterdir() if NAME.match(path.name)), key=step_of
        )

    def latest(self) -> Path | None:
        """The newest whole checkpoint; a torn one is skipped with a warning."""
        for path in reversed(self.paths()):
            if path not in self._verified:
                fault = verify(path)
                self._verified[path] = not fault
                if fault:
                    logger.warning("checkpoint %s is not whole and is skipped: %s", path, fault)
            if self._verified[path]:
                return path
        return None

    def _name_for_replaced(self, target: Path) -> Path:
        """A hidden name, which is swept up later, for a whole checkpoint; one that people see for a torn one."""
        token = secrets.token_hex(4)
        return target.with_name(
            f"{target.name}.torn-{token}" if verify(target) else f".{target.name}-old-{token}"
        )

    def _prune(self) -> None:
        for leftover in self.directory.glob(".*-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self.latest()  # finds out which of the newest are torn: they are a person's to judge, and do not count
        whole = [path for path in self.paths() if self._verified.get(path) is not False]
        kept_at = -float("inf")
        for path in whole[: -self.keep_max] if self.keep_max is not None else []:
            written = _written_at(path)
            if (
                self.keep_every_n_hours < FOREVER
                and written - kept_at >= self.keep_every_n_hours * 3600
            ):
                kept_at = written
                continue
            shutil.rmtree(path, ignore_errors=True)


def step_of(path: Path) -> int:
    """The global step of a checkpoint.

    Raises:
        CheckpointError: the path is not a checkpoint's.
    """
    if not NAME.match(path.name):
        raise CheckpointError(
            f"{path} is not a checkpoint; a checkpoint is a folder such as checkpoints/000001000"
        )
    return int(path.name)


def verify(path: Path) -> str:
    """What is wrong with a checkpoint; an empty text when it is whole."""
    try:
        _read(path)
    except CheckpointError as error:
        return str(error)
    return ""


def load(path: Path) -> dict[str, Any]:
    """The state in a checkpoint.

    Raises:
        CheckpointError: it is not whole.
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
    """The files of a checkpoint; what is hashed is what is used."""
    files = {}
    try:
        expected = json.loads((path / MANIFEST).read_bytes())["files"]
        for name in (STATE, ARRAYS):
            files[name] = (path / name).read_bytes()
            if len(files[name]) != expected[name]["bytes"]:
                raise CheckpointError(
                    f"{name} has {len(files[name])} bytes, not {expected[name]['bytes']}"
                )
            if hashlib.sha256(files[name]).hexdigest() != expected[name]["sha256"]:
                raise CheckpointError(f"{name} is not what was written")
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {Path(error.filename).name}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"its manifest is not what was written: {type(error).__name__}: {error}"
        ) from error
    return files


def _write(directory: Path, step: int, state: State) -> None:
    from safetensors.numpy import save as save_arrays

    arrays: dict[str, np.ndarray] = {}
    skeleton = _take_arrays(state, "", arrays)
    stored = json.dumps({"format": FORMAT, "step": step, "state": skeleton}).encode()
    directory.mkdir()
    files = {
        name: _write_file(directory / name, content)
        for name, content in ((ARRAYS, save_arrays(arrays)), (STATE, stored))
    }
    _write_file(
        directory / MANIFEST,
        json.dumps({"step": step, "time": time.time(), "files": files}).encode(),
    )
    _sync(directory)


def _write_file(path: Path, content: bytes) -> dict[str, Any]:
    """Write a file through to the disk; its entry in the manifest, made of what was to be written."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _take_arrays(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """The state with a reference where an array was; the arrays go into `arrays`."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or name == ARRAY_KEY:
                raise CheckpointError(
                    f"the names in a state are texts other than {ARRAY_KEY}; {path} has {name!r}"
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
        is_free = (
            path not in arrays and path != "__metadata__"
        )  # "a/b" may be one name, or two; the other is safetensors' own
        key = path if is_free else f"{path}#{len(arrays)}"
        # A copy in C order: safetensors writes the buffer as it lies.
        arrays[key] = np.array(value, order="C", copy=True)
        return {ARRAY_KEY: key}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"a state holds arrays, numbers and texts; {path} is a {type(value).__name__}"
    )


def _restore_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if set(value) == {ARRAY_KEY}:
            return arrays[value[ARRAY_KEY]]
        return {name: _restore_arrays(item, arrays) for name, item in value.items()}
    if isinstance(value, list):
        return [_restore_arrays(item, arrays) for item in value]
    return value


def _written_at(path: Path) -> float:
    try:
        return float(json.loads((path / MANIFEST).read_bytes())["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
