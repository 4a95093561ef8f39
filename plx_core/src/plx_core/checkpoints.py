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
from plx_core.interfaces import State

logger = logging.getLogger(__name__)

STATE, ARRAYS, MANIFEST = "state.json", "state.safetensors", "manifest.json"
FORMAT = 1
NAME = re.compile(r"^\d{9,}$")
ARRAY_KEY = "$array"
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
            if target.exists():  # the same step again, after a rollback: the new one takes its place in one rename
                target.rename(self.directory / f".{target.name}-old-{secrets.token_hex(4)}")
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
        return sorted((path for path in self.directory.iterdir() if NAME.match(path.name)), key=step_of)

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

    def _prune(self) -> None:
        for leftover in self.directory.glob(".*-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if self.keep_max is None:
            return
        kept_at: float | None = None
        for path in self.paths()[: -self.keep_max]:
            if self._verified.get(path) is False:
                continue  # what is torn is a person's to judge
            written = _written_at(path)
            if kept_at is None or written - kept_at >= self.keep_every_n_hours * 3600:
                first, kept_at = kept_at is None, written
                if not first or self.keep_every_n_hours < FOREVER:
                    continue
            shutil.rmtree(path, ignore_errors=True)


def step_of(path: Path) -> int:
    """The global step of a checkpoint."""
    return int(path.name)


def verify(path: Path) -> str:
    """What is wrong with a checkpoint; an empty text when it is whole."""
    try:
        manifest = _read_json(path / MANIFEST)
        for name, expected in manifest["files"].items():
            if Path(name).name != name:
                return f"its manifest names a file outside: {name}"
            size = (path / name).stat().st_size
            if size != expected["bytes"]:
                return f"{name} has {size} bytes, not {expected['bytes']}"
            if _sha256(path / name) != expected["sha256"]:
                return f"{name} is not what was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if {STATE, ARRAYS} <= set(manifest["files"]) else "its manifest is not complete"


def load(path: Path) -> dict[str, Any]:
    """The state in a checkpoint.

    Raises:
        CheckpointError: it is not whole.
    """
    from safetensors.numpy import load_file

    fault = verify(path)
    if fault:
        raise CheckpointError(f"checkpoint {path} cannot be read: {fault}")
    stored = _read_json(path / STATE)
    if stored["format"] != FORMAT:
        raise CheckpointError(f"checkpoint {path} has format {stored['format']}; this plx reads format {FORMAT}")
    state = _restore_arrays(stored["state"], load_file(path / ARRAYS))
    if not isinstance(state, dict):
        raise CheckpointError(f"checkpoint {path} does not hold a state")
    return state


def _write(directory: Path, step: int, state: State) -> None:
    from safetensors.numpy import save_file

    directory.mkdir()
    arrays: dict[str, np.ndarray] = {}
    skeleton = _take_arrays(state, "", arrays)
    save_file(arrays, directory / ARRAYS)
    (directory / STATE).write_text(json.dumps({"format": FORMAT, "step": step, "state": skeleton}), encoding="utf-8")
    files = {name: {"bytes": (directory / name).stat().st_size, "sha256": _sha256(directory / name)} for name in (ARRAYS, STATE)}
    (directory / MANIFEST).write_text(json.dumps({"step": step, "time": time.time(), "files": files}), encoding="utf-8")
    for name in (ARRAYS, STATE, MANIFEST):
        _sync(directory / name)
    _sync(directory)


def _take_arrays(value: Any, key: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _take_arrays(item, f"{key}/{name}" if key else str(name), arrays) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_arrays(item, f"{key}/{index}", arrays) for index, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        # A copy in C order: safetensors writes the buffer as it lies.
        arrays[key] = np.array(value, order="C", copy=True)
        return {ARRAY_KEY: key}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(f"a state holds arrays, numbers and texts; {key} is a {type(value).__name__}")


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
        return float(_read_json(path / MANIFEST)["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _read_json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is not a mapping")
    return value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
