"""A cache on disk of component schemas, so that a second check does not import TensorFlow."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs
from attrs import define, field

from plx_core.components import json_schema
from plx_core.components.graph_keys import INBOUND
from plx_core.components.json_schema import Schema, factory_schema
from plx_core.plugins.registry import Entry
from plx_core.runs.atomic import write_aside
from plx_core.types import Part

FORMAT = 5
"""The version of the cache file; a file of another version is ignored."""

INBOUND_SCHEMA: Schema = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}],
    "default": None,
}


def cache_dir() -> Path:
    """Return the folder of everything that plx can recreate.

    It is `PLX_CACHE_DIR`, or else the user's cache folder.
    """
    return Path(os.environ.get("PLX_CACHE_DIR") or platformdirs.user_cache_dir("plx"))


def _default_path() -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_dir() / f"signatures-{version}.json"


@define
class Signatures:
    """The schemas of components' parameters, by kind, import path and place of the package.

    A schema in the cache is used only while the files that it was read from are unchanged (in size
    and modification time).
    """

    path: Path = field(factory=_default_path)
    _cached: dict[str, Any] | None = field(default=None, init=False)
    _has_changed: bool = field(default=False, init=False)

    def parameters(self, entry: Entry) -> Schema:
        """Return the schema of a component's parameters.

        Raises:
            PluginError: the component cannot be imported.
        """
        if not isinstance(entry.target, str):
            return _add_graph_parameters(factory_schema(entry.target, entry.kind), entry.kind)
        cache = self._load()
        key = _key(entry)
        if key not in cache or any(
            stamp(Path(path)) != old for path, old in cache[key]["files"].items()
        ):
            factory = entry.load()
            item = {
                "schema": factory_schema(factory, entry.kind),
                "files": {path: stamp(Path(path)) for path in _sources(factory)},
            }
            # The round trip makes the first result the same as later ones from the file.
            cache[key] = json.loads(json.dumps(item))
            self._has_changed = True
        return _add_graph_parameters(cache[key]["schema"], entry.kind)

    def sources(self, entry: Entry) -> list[str]:
        """Return the source files of a component whose schema is in the cache."""
        return list(self._load().get(_key(entry), {}).get("files", ()))

    def save(self) -> None:
        """Write the cache if it has changed. A failure to write is ignored: it only costs time."""
        if not self._has_changed:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with write_aside(self.path) as aside:
                content = {"format": FORMAT, "components": self._cached}
                aside.write_text(json.dumps(content), encoding="utf-8")
        except OSError:
            return
        self._has_changed = False

    def _load(self) -> dict[str, Any]:
        if self._cached is None:
            try:
                content = json.loads(self.path.read_text(encoding="utf-8"))
                self._cached = dict(content["components"]) if content["format"] == FORMAT else {}
            except (OSError, ValueError, KeyError, TypeError):
                self._cached = {}
        return self._cached


def add_older_names(schema: Schema, older: Mapping[str, str]) -> Schema:
    """Return the schema with older names of its parameters as aliases.

    Args:
        schema: the schema of a component's parameters.
        older: older names to current names; those that do not apply to this component are ignored.
    """
    properties = schema["properties"]
    aliases = {
        name: {**properties[name], "x-alias": alias}
        for alias, name in older.items()
        if name in properties and alias not in properties
    }
    return schema | {"properties": properties | aliases}


def _add_graph_parameters(schema: Schema, kind: str) -> Schema:
    if kind != "layers":
        return schema
    properties = schema["properties"] | {INBOUND: INBOUND_SCHEMA}
    properties.setdefault(
        "name", {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    )
    return schema | {"properties": properties}


def _sources(factory: Callable[..., Part]) -> list[str]:
    unwrapped: Any = inspect.unwrap(factory)
    owners = unwrapped.__mro__ if inspect.isclass(unwrapped) else (unwrapped,)
    modules = {
        sys.modules.get(owner.__module__)
        for owner in (*owners, factory)
        if hasattr(owner, "__module__")
    }
    files = {
        str(module.__file__)
        for module in modules
        if module is not None and getattr(module, "__file__", None)
    }
    # A change to the conversion of signatures to schemas also invalidates the cache.
    return sorted({*files, str(json_schema.__file__)})


def _key(entry: Entry) -> str:
    """Return the key of a component: two environments may have other versions of one package."""
    target = str(entry.target)
    return f"{entry.kind} {target} {_place_of(target.partition('.')[0].partition(':')[0])}"


@functools.cache
def _place_of(package: str) -> str:
    """Return the file of a package without importing it; empty if there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return ""
    return spec.origin or "" if spec is not None else ""


def stamp(path: Path) -> list[int]:
    """Return a file's modification time and size, or an empty list if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_size]
