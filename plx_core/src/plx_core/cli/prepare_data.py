"""Prepare a known data set, for `plx data NAME`."""

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
        registry: the installed components.
        name: the component's name.
        output_dir: the directory to write.
        source: a directory with the original files.
        sets: `parameter=value` strings for its other parameters.

    Returns:
        What it wrote, by name.

    Raises:
        ConfigError: there is no such component, or a parameter is wrong.
        PluginError: the component did not return a mapping.
    """
    params: dict[str, Any] = {"output_dir": output_dir}
    if source is not None:
        params["source"] = source
    reader = Reader(registry)
    component = reader.component("datasets", name, load_tree(params, sets), "data", None)
    if component is None or reader.problems:
        raise ConfigError(reader.problems)
    reader.signatures.save()
    result = component.build()
    if not isinstance(result, Mapping):
        raise PluginError(
            f"the data set {name} returned {type(result).__name__}, not a mapping of what it wrote"
        )
    return result
