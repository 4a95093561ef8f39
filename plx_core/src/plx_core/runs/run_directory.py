"""The run directory: the config, metrics and versions of a run, with one writer at a time."""

from __future__ import annotations

import datetime
import json
import logging
import math
import os
import platform
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import filelock
import yaml
from attrs import define, field

from plx_core.errors import RunDirectoryError, RunFileError
from plx_core.runs.atomic import sweep, write_aside
from plx_core.runs.data_files import Records

logger = logging.getLogger(__name__)

CONFIG = "config.yml"
RESOLVED = "resolved.yml"
MANIFEST = "manifest.json"
METRICS = "metrics.jsonl"
CHECKPOINTS = "checkpoints"
EXPORT = "export"
LOCK = ".lock"
WRITER = ".writer.json"


@define
class RunDirectory:
    """The folder of one run."""

    path: Path = field(converter=Path)
    _lock: filelock.BaseFileLock = field(init=False, eq=False, repr=False)

    @_lock.default
    def _new_lock(self) -> filelock.BaseFileLock:
        return filelock.FileLock(self.path / LOCK)

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / CHECKPOINTS

    @property
    def metrics(self) -> Path:
        """The file of metrics, with a line of JSON for each time that they were logged."""
        return self.path / METRICS

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock of the run; it may be held already by the same thread and object.

        The operating system releases it when the process ends. What a process that was killed has
        left half-written is removed.

        Raises:
            RunDirectoryError: another process writes to this run, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunDirectoryError(
                f"another process is writing to the run {self.path}{self._writer()}"
            ) from None
        except OSError as error:
            raise _cannot("written", self.path, error, "the run directory ") from error
        try:
            if self._lock.lock_counter == 1:
                sweep(self.path)
                writer = {"pid": os.getpid(), "host": socket.gethostname()}
                write_text(self.path / WRITER, json.dumps(writer))
            yield
        finally:
            if self._lock.lock_counter == 1:
                with suppress(OSError):  # it only says who holds the lock
                    (self.path / WRITER).unlink(missing_ok=True)
            self._lock.release()

    def append_metrics(
        self, step: int, split: str, metrics: Mapping[str, object], **extra: object
    ) -> None:
        """Add a line to `metrics.jsonl`.

        Args:
            step: the global step.
            split: `train` or `eval`.
            metrics: values by name.
            extra: further fields of the line.

        Raises:
            RunFileError: the file cannot be written.
        """
        values = {name: as_json(value) for name, value in metrics.items()}
        line = json.dumps({"step": step, "split": split, "metrics": values, **extra}).encode()
        try:
            with self.metrics.open("a+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - 1, 0))
                if file.read(1) not in (b"", b"\n"):  # a crash tore the last line: end it
                    line = b"\n" + line
                file.write(line + b"\n")
        except OSError as error:
            raise _cannot("written", self.metrics, error) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the lines of `metrics.jsonl` without those that are torn or otherwise odd.

        Raises:
            RunFileError: the file cannot be read.
        """
        try:
            content = self.metrics.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _cannot("read", self.metrics, error) from error
        lines = []
        for text in content.splitlines():
            try:
                line = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if _is_line(line):
                lines.append(line)
        return lines

    def evaluations(self) -> dict[int, dict[str, float]]:
        """Return the metrics of each step's first evaluation, by name, with `global_step`.

        The first one is the run's own, whatever has been evaluated by hand later.
        """
        return {
            line["step"]: {name: float(value) for name, value in line["metrics"].items()}
            | {"global_step": line["step"]}
            for line in reversed(self.read_metrics())
            if line["split"] == "eval"
        }

    def forget_after(self, step: int) -> None:
        """Remove the metrics after a step; a run that resumes there writes them again."""
        lines = self.read_metrics()
        kept = [line for line in lines if line["step"] <= step]
        if len(kept) < len(lines):
            write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def write_config(self, given: str, resolved: Mapping[str, Any]) -> None:
        """Write `config.yml` and `resolved.yml`.

        Args:
            given: the config as text.
            resolved: the config with all defaults.

        Raises:
            RunDirectoryError: the folder has a run of another model or data.
        """
        if differences := self.differences(resolved):
            raise RunDirectoryError(
                f"{self.path} holds a run whose config differs at {', '.join(differences)}; "
                "give another --output-dir, or undo these changes to resume that run"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / CONFIG, given)
        write_text(
            self.path / RESOLVED,
            yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True),
        )

    def differences(self, resolved: Mapping[str, Any]) -> list[str]:
        """Return the paths of values that affect the weights and differ from the run's config."""
        earlier = self.read_resolved()
        return [] if earlier is None else _differences(_identity(earlier), _identity(resolved), "")

    def read_resolved(self) -> dict[str, Any] | None:
        """Return the config with all defaults; None if there is none, or if it is corrupt.

        Raises:
            RunFileError: the file cannot be read.
        """
        return read_mapping(self.path / RESOLVED, yaml.safe_load)

    def write_manifest(
        self, seed: int, plugins: Mapping[str, str], data_files: Records | None = None
    ) -> None:
        """Write `manifest.json`: the versions, the git commit, the seed, the machine and the data.

        Args:
            seed: the seed of the run.
            plugins: the versions of the plug-ins that it uses, by name.
            data_files: what `describe_files` says of the data that it reads.
        """
        from importlib_metadata import PackageNotFoundError, version

        def version_of(package: str) -> str:
            try:
                return version(package)
            except PackageNotFoundError:
                return "not installed"

        packages = {
            name: version_of(name)
            for name in ("plx-core", "tensorflow", "keras", "numpy", "gymnasium")
        }
        manifest = {
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seed": seed,
            "plugins": dict(sorted(plugins.items())),
            "packages": packages,
            "git_commit": _git_commit(),
            "python": platform.python_version(),
            "machine": {
                "platform": platform.platform(),
                "processors": os.cpu_count(),
                "host": socket.gethostname(),
            },
            "data_files": data_files or {},
        }
        write_text(self.path / MANIFEST, json.dumps(manifest, indent=2) + "\n")

    def data_files(self) -> Records:
        """Return what the manifest says of the data that has been read.

        Raises:
            RunFileError: the manifest cannot be read.
        """
        records = (read_mapping(self.path / MANIFEST) or {}).get("data_files")
        return {
            key: {path: record for path, record in files.items() if isinstance(record, dict)}
            for key, files in (records.items() if isinstance(records, dict) else ())
            if isinstance(files, dict)
        }

    def note_data(self, split: str, counters: Mapping[str, int]) -> None:
        """Add counts of a split's data, such as records that were skipped, to the manifest."""
        path = self.path / MANIFEST
        manifest = read_mapping(path) if counters else None
        if manifest is not None:
            manifest["data"] = {**manifest.get("data", {}), split: dict(counters)}
            write_text(path, json.dumps(manifest, indent=2) + "\n")

    def _writer(self) -> str:
        try:
            writer = json.loads((self.path / WRITER).read_text(encoding="utf-8"))
            return f" (process {writer['pid']} on {writer['host']})"
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def write_text(path: Path, text: str) -> None:
    """Write a file atomically.

    Raises:
        RunFileError: it cannot be written; the old file is unchanged.
    """
    try:
        with write_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _cannot("written", path, error) from error


def read_mapping(path: Path, parse: Callable[[str], object] = json.loads) -> dict[str, Any] | None:
    """Return the mapping in a file; None if there is no file, or, with a warning, if it is corrupt.

    Args:
        path: the file.
        parse: converts its text.

    Raises:
        RunFileError: the file cannot be read.
    """
    try:
        value = parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        logger.warning("%s is corrupt and is ignored: %s", path, " ".join(str(error).split()))
        return None
    if not isinstance(value, dict):
        logger.warning("%s is corrupt and is ignored: it holds no mapping", path)
        return None
    return value


def _cannot(verb: str, path: Path, error: OSError, what: str = "") -> RunFileError:
    return RunFileError(f"{what}{path} cannot be {verb}: {error.strerror or error}")


def _is_line(line: object) -> bool:
    """Return whether a value is a line of `metrics.jsonl`: numbers by name, of a step and split."""
    if not isinstance(line, dict):
        return False
    step, metrics = line.get("step"), line.get("metrics")
    return (
        isinstance(step, int)
        and isinstance(line.get("split"), str)
        and isinstance(metrics, dict)
        and all(_is_number(value) for value in metrics.values())
    )


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _identity(resolved: Mapping[str, Any]) -> dict[str, object]:
    """Return the part of a config that affects the weights.

    The length of a run and its logging may change when it is resumed.
    """
    train = resolved.get("train") or {}
    environment = resolved.get("environment") or {}
    train_keys = ("data_pipeline", "env", "first_update", "update_frequency")
    return {
        "model": resolved.get("model"),
        "agent": resolved.get("agent"),
        "train": {key: train[key] for key in train_keys if key in train},
        "environment": {
            key: environment[key] for key in ("seed", "mixed_precision") if key in environment
        },
    }


def _differences(old: object, new: object, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        children = [
            (old.get(name), new.get(name), f"{path}.{name}".lstrip("."))
            for name in dict.fromkeys([*old, *new])
        ]
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        children = [
            (*pair, f"{path}[{index}]") for index, pair in enumerate(zip(old, new, strict=True))
        ]
    else:
        return [] if old == new else [path]
    return [difference for child in children for difference in _differences(*child)]


def as_json(value: object) -> object:
    """Return the value with NaN and infinity, which JSON has not, as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _git_commit() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
