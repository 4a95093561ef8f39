"""Prepare a known data set, for `plx data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plx_core.config.load import load_tree
from plx_core.config.validate import Reader
from plx_core.errors import ConfigError, PluginError
from plx_core.plugins.registry import Registry


def prepare(
    registry: Registry, name: str, output_dir: str, source: str | None, sets: Sequence[str] = ()
) -> Mapping[str, Any]:
    """Call a component of the kind `datasets`.

    Args:
        registry: where it is found.
        name: its name.
        output_dir: the folder to write.
        source: a folder that holds the original files.
        sets: `parameter=value` texts for its further parameters.

    Returns:
        What was written, by name.
    """
    given: dict[str, Any] = {"output_dir": output_dir} | (
        {"source": source} if source is not None else {}
    )
    reader = Reader(registry)
    component = reader.component("datasets", name, load_tree(given, sets), "data", None)
    if component is None or reader.problems:
        raise ConfigError(reader.problems)
    reader.signatures.save()
    written = component.build()
    if not isinstance(written, Mapping):
        raise PluginError(
            f"the data set {name} returned {type(written).__name__}, not a mapping of what it wrote"
        )
    return written
