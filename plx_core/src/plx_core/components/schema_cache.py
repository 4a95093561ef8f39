"""What parameters each component takes, remembered on disk so that a second check imports no TensorFlow."""

from __future__ import annotations

import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs
from attrs import define, field

from plx_core.components import json_schema as schema
from plx_core.components.graph_keys import INBOUND
from plx_core.components.json_schema import Schema, factory_schema
from plx_core.plugins.registry import Entry

FORMAT = 4
"""Raised when what is remembered changes its meaning."""

NAMES_OR_NAME: Schema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
    "default": None,
}


def cache_dir() -> Path:
    """Where plx keeps what it can make again: `PLX_CACHE_DIR`, or the user's cache folder."""
    return Path(os.environ.get("PLX_CACHE_DIR") or platformdirs.user_cache_dir("plx"))


@define
class Signatures:
    """The parameters of components, by where their factory is defined.

    What is remembered is used only while every file that it was read from is unchanged (size and time).
    """

    path: Path = field(
        factory=lambda: (
            cache_dir() / f"signatures-{sys.version_info.major}.{sys.version_info.minor}.json"
        )
    )
    _known: dict[str, Any] | None = field(default=None, init=False)
    _changed: bool = field(default=False, init=False)

    def parameters(self, entry: Entry) -> Schema:
        """The JSON Schema of a component's parameters.

        Raises:
            PluginError: the component cannot be imported.
        """
        if not isinstance(entry.target, str):
            return _with_graph_parameters(entry.kind, factory_schema(entry.target, entry.kind))
        key = f"{entry.kind} {entry.target}"
        known = self._load().get(key)
        if known is None or not all(
            stamp(Path(path)) == kept for path, kept in known["files"].items()
        ):
            factory = entry.load()
            known = {
                "schema": factory_schema(factory, entry.kind),
                "files": {path: stamp(Path(path)) for path in _sources(factory)},
            }
            known = json.loads(
                json.dumps(known)
            )  # what is used now is exactly what will be read back
            self._load()[key] = known
            self._changed = True
        return _with_graph_parameters(entry.kind, known["schema"])

    def sources(self, entry: Entry) -> list[str]:
        """The files that a component whose parameters are known was defined in."""
        return list(self._load().get(f"{entry.kind} {entry.target}", {}).get("files", ()))

    def save(self) -> None:
        """Keep what was learnt; a cache that cannot be written costs time and nothing else."""
        if not self._changed:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, delete=False, encoding="utf-8"
            ) as file:
                json.dump({"format": FORMAT, "components": self._known}, file)
            Path(file.name).replace(self.path)
            self._changed = False
        except OSError:
            return

    def _load(self) -> dict[str, Any]:
        if self._known is None:
            try:
                stored = json.loads(self.path.read_text(encoding="utf-8"))
                self._known = dict(stored["components"]) if stored["format"] == FORMAT else {}
            except (OSError, ValueError, KeyError, TypeError):
                self._known = {}
        return self._known


def with_older_names(schema: Schema, older: Mapping[str, str]) -> Schema:
    """A schema of parameters which admits those that had an older name by that too."""
    properties = schema["properties"]
    known = {
        today: name
        for name, today in older.items()
        if today in properties and name not in properties
    }
    return schema | {
        "properties": properties
        | {today: {**properties[today], "x-alias": name} for today, name in known.items()}
    }


def _with_graph_parameters(kind: str, schema: Schema) -> Schema:
    if kind != "layers":
        return schema
    properties = schema["properties"]
    extra = {INBOUND: NAMES_OR_NAME} | (
        {}
        if "name" in properties
        else {"name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}}
    )
    return schema | {"properties": properties | extra}


def _sources(factory: Callable[..., Any]) -> list[str]:
    unwrapped: Any = inspect.unwrap(factory)
    owners = unwrapped.__mro__ if inspect.isclass(unwrapped) else (unwrapped,)
    modules = {
        sys.modules.get(owner.__module__)
        for owner in (*owners, factory)
        if hasattr(owner, "__module__")
    }
    found = {
        str(module.__file__)
        for module in modules
        if module is not None and getattr(module, "__file__", None)
    }
    return sorted({*found, str(schema.__file__)})  # what a signature means is said there


def stamp(path: Path) -> list[int]:
    """A file's time and size, by which a change is noticed; nothing when there is no file."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]
