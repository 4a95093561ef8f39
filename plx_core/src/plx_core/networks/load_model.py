"""Load `.keras` files with layers of any plug-in."""

from __future__ import annotations

import inspect
from pathlib import Path

import keras

from plx_core.components.bound_activation import BoundActivation
from plx_core.components.component import default_registry
from plx_core.errors import ComponentError, DataError, PluginError, reason_of
from plx_core.hookspecs import Factory
from plx_core.plugins.registry import Registry

SAVED_KINDS = (
    "layers", "bridges", "losses", "metrics", "optimizers", "schedules", "initializers",
    "regularizers", "constraints", "activations",
)  # fmt: skip
"""The kinds of component that a saved network may contain, or whose modules define its parts."""


def custom_objects(registry: Registry | None = None) -> dict[str, Factory]:
    """Return the plug-ins' classes and functions for saved networks, by the names that Keras saves.

    Classes need no decorator of Keras. A name that two plug-ins use is left out: use Keras's
    `register_keras_serializable`, which adds the name of a package.

    Args:
        registry: the registry of components; the installed plug-ins if None.
    """
    objects: dict[str, set[Factory]] = {
        keras.saving.get_registered_name(BoundActivation): {BoundActivation}
    }
    for kind in SAVED_KINDS:
        for entry in (registry or default_registry()).entries(kind):
            if isinstance(entry.target, str) and entry.target.startswith("keras."):
                continue
            try:
                factory = entry.load()
            except PluginError:  # affects only networks that need this component
                continue
            if inspect.isclass(factory) or kind == "activations":
                objects.setdefault(keras.saving.get_registered_name(factory), set()).add(factory)
    return {
        name: next(iter(factories)) for name, factories in objects.items() if len(factories) == 1
    }


def load_model(path: str | Path, registry: Registry | None = None) -> keras.Model:
    """Load the network of a `.keras` file, for example of an export.

    Args:
        path: the file.
        registry: the registry of components; the installed plug-ins if None.

    Raises:
        DataError: there is no such file.
        ComponentError: it is not a network, or has a class that no installed plug-in offers.
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
