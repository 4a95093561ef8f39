"""Read `.keras` files again, whichever plug-ins their layers came from."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras

from plx_core.components.bound_activation import BoundActivation
from plx_core.components.component import default_registry
from plx_core.errors import ComponentError, DataError, PluginError, reason_of
from plx_core.plugins.registry import Registry

SAVED_KINDS = (
    "layers", "bridges", "losses", "metrics", "optimizers", "schedules", "initializers", "regularizers", "constraints", "activations",
)  # fmt: skip
"""The kinds of component that a saved network may hold, or whose modules define what it holds."""


def custom_objects(registry: Registry | None = None) -> dict[str, Any]:
    """The classes and functions of plug-ins that a saved network may hold, by the names under which Keras saves them.

    A class needs no decorator of Keras's to be among them. Where two plug-ins have one of the same name, it is left out: Keras's
    `register_keras_serializable` gives each a package of its own.

    Args:
        registry: where components are found; the installed plug-ins' when None.
    """
    found: dict[str, set[Any]] = {
        keras.saving.get_registered_name(BoundActivation): {BoundActivation}
    }
    for kind in SAVED_KINDS:
        for entry in (registry or default_registry()).entries(kind):
            if isinstance(entry.target, str) and entry.target.startswith("keras."):
                continue
            try:
                factory = entry.load()
            except (
                PluginError
            ):  # a plug-in that cannot be imported harms only a network that needs it
                continue
            if inspect.isclass(factory) or kind == "activations":
                found.setdefault(keras.saving.get_registered_name(factory), set()).add(factory)
    return {name: next(iter(factories)) for name, factories in found.items() if len(factories) == 1}


def load_model(path: str | Path, registry: Registry | None = None) -> keras.Model:
    """The network of a `.keras` file, such as an exporter writes.

    Args:
        path: the file.
        registry: where components are found; the installed plug-ins' when None.

    Raises:
        DataError: there is no such file.
        ComponentError: it is no network, or holds a class that no installed plug-in offers.
    """
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}")
    with keras.saving.custom_object_scope(custom_objects(registry)):
        try:
            return keras.models.load_model(path, compile=False)
        except (TypeError, ValueError, KeyError, OSError) as error:
            raise ComponentError(
                f"{path} cannot be read with the installed plug-ins: {reason_of(error)}"
            ) from error
