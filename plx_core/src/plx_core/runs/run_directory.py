"""The run directory is the run: what it was given, what it wrote, and one writer at a time."""

from __future__ import annotations

import datetime
import json
import os
import platform
import secrets
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

CONFIG, RESOLVED, MANIFEST, METRICS, CHECKPOINTS, EXPORT = (
    "config.yml",
    "resolved.yml",
    "manifest.json",
    "metrics.jsonl",
    "checkpoints",
    "export",
)
LOCK, WRITER = ".lock", ".writer.json"


@define
class RunDirectory:
    """A folder that holds one run."""

    path: Path = field(converter=Path)

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints are."""
        return self.path / CHECKPOINTS

    @property
    def metrics(self) -> Path:
        """The file with a line of JSON for each time that metrics were logged."""
        return self.path / METRICS

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the run's lock, which the operating system lets go when the process ends, however it ends.

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
            write_text(
                self.path / WRITER, json.dumps({"pid": os.getpid(), "host": socket.gethostname()})
            )
            yield
        finally:
            (self.path / WRITER).unlink(missing_ok=True)
            lock.release()

    def append_metrics(
        self, step: int, split: str, metrics: Mapping[str, Any], **extra: Any
    ) -> None:
        """Add a line to `metrics.jsonl`."""
        line = json.dumps(
            {
                "step": step,
                "split": split,
                "metrics": {name: as_json(value) for name, value in metrics.items()},
            }
            | extra
        )
        try:
            with self.metrics.open("a+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(size - 1, 0))
                is_torn = file.read(1) not in (
                    b"",
                    b"\n",
                )  # by a crash; what follows must not be lost with it
                file.write(b"\n" * is_torn + line.encode() + b"\n")
        except OSError as error:
            raise RunDirectoryError(
                f"{self.metrics} cannot be written: {error.strerror}"
            ) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; one that a crash tore is left out."""
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
        """Drop the metrics of steps after `step`, which a run that resumes there will write again."""
        lines = self.read_metrics()
        kept = [line for line in lines if line["step"] <= step]
        if self.metrics.exists():
            write_text(self.metrics, "".join(json.dumps(line) + "\n" for line in kept))

    def write_config(self, given: str, resolved: Mapping[str, Any]) -> None:
        """Keep the config as it was given, and with every default.

        Raises:
            RunDirectoryError: the folder holds a run of another model or data.
        """
        if differences := self.differences(resolved):
            raise RunDirectoryError(
                f"{self.path} holds a run whose config differs at {', '.join(differences)}; "
                "give another --output-dir, or set these back to go on with that run"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / CONFIG, given)
        write_text(
            self.path / RESOLVED,
            yaml.safe_dump(dict(resolved), sort_keys=False, allow_unicode=True),
        )

    def differences(self, resolved: Mapping[str, Any]) -> list[str]:
        """The paths at which a resolved config differs from the one kept here in what the weights depend on."""
        kept = self.path / RESOLVED
        if not kept.exists():
            return []
        return _differences(
            _identity(yaml.safe_load(kept.read_text(encoding="utf-8"))), _identity(resolved), ""
        )

    def write_manifest(self, seed: int, plugins: Mapping[str, str]) -> None:
        """Note versions, commit, seed and machine."""
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
        """Add to the manifest what was counted while a split was read, such as records that were left out; nothing where there is none."""
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
    """Write a file aside, and rename it into its place.

    Raises:
        RunDirectoryError: it cannot be written; what was there before is untouched.
    """
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise RunDirectoryError(f"{path} cannot be written: {error.strerror}") from error


def _identity(resolved: Any) -> dict[str, Any]:
    """The part of a config that decides the weights: a longer run, or another way to log it, is the same run."""
    train = {
        key: value
        for key, value in (resolved.get("train") or {}).items()
        if key in ("data_pipeline", "env", "first_update", "update_frequency")
    }
    environment = {
        key: value
        for key, value in (resolved.get("environment") or {}).items()
        if key in ("seed", "mixed_precision")
    }
    return {
        "model": resolved.get("model"),
        "agent": resolved.get("agent"),
        "train": train,
        "environment": environment,
    }


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        names = list(dict.fromkeys([*old, *new]))
        return [
            difference
            for name in names
            for difference in _differences(
                old.get(name), new.get(name), f"{path}.{name}".lstrip(".")
            )
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            difference
            for index, pair in enumerate(zip(old, new, strict=True))
            for difference in _differences(*pair, f"{path}[{index}]")
        ]
    return [] if old == new else [path]


def as_json(value: Any) -> Any:
    """JSON has no NaN and no infinity; they are written as texts."""
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):
        return str(value)
    return value


def _git_commit() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
