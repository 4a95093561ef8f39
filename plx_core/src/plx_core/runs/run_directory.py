"""The run directory: the config, metrics and versions of a run, with one writer at a time."""

from __future__ import annotations

import datetime
import json
import math
import os
import platform
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import yaml
from attrs import define, field

from plx_core.errors import RunDirectoryError
from plx_core.runs.atomic import write_aside

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
        """Hold the lock of the run. The operating system releases it when the process ends.

        Raises:
            RunDirectoryError: another process writes to this run, or the folder cannot be written.
        """
        lock = filelock.FileLock(self.path / LOCK)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunDirectoryError(
                f"another process is writing to the run {self.path}{self._writer()}"
            ) from None
        except OSError as error:
            raise RunDirectoryError(
                f"the run directory {self.path} cannot be written: {error.strerror}"
            ) from error
        try:
            writer = {"pid": os.getpid(), "host": socket.gethostname()}
            write_text(self.path / WRITER, json.dumps(writer))
            yield
        finally:
            (self.path / WRITER).unlink(missing_ok=True)
            lock.release()

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
            RunDirectoryError: the file cannot be written.
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
            raise RunDirectoryError(
                f"{self.metrics} cannot be written: {error.strerror}"
            ) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return the lines of `metrics.jsonl` without those that a crash tore."""
        if not self.metrics.exists():
            return []
        lines = []
        for text in self.metrics.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and {"step", "split", "metrics"} <= line.keys():
                lines.append(line)
        return lines

    def forget_after(self, step: int) -> None:
        """Remove the metrics after a step; a run that resumes there writes them again."""
        if self.metrics.exists():
            lines = [line for line in self.read_metrics() if line["step"] <= step]
            write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in lines))

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
        file = self.path / RESOLVED
        if not file.exists():
            return []
        earlier = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _differences(_identity(earlier), _identity(resolved), "")

    def write_manifest(self, seed: int, plugins: Mapping[str, str]) -> None:
        """Write `manifest.json`: the versions, the git commit, the seed and the machine."""
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
        }
        write_text(self.path / MANIFEST, json.dumps(manifest, indent=2) + "\n")

    def note_data(self, split: str, counters: Mapping[str, int]) -> None:
        """Add counts of a split's data, such as records that were skipped, to the manifest."""
        path = self.path / MANIFEST
        if counters and path.exists():
            manifest = json.loads(path.read_text(encoding="utf-8"))
            manifest["data"] = {**manifest.get("data", {}), split: dict(counters)}
            write_text(path, json.dumps(manifest, indent=2) + "\n")

    def _writer(self) -> str:
        try:
            writer = json.loads((self.path / WRITER).read_text(encoding="utf-8"))
            return f" (process {writer['pid']} on {writer['host']})"
        except (OSError, ValueError, KeyError):
            return ""


def write_text(path: Path, text: str) -> None:
    """Write a file atomically.

    Raises:
        RunDirectoryError: it cannot be written; the old file is unchanged.
    """
    try:
        with write_aside(path) as aside:
            aside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}") from error


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
