"""Registries as Python namespaces: `plx.layers.Dense` is the factory of the component `Dense`."""

from __future__ import annotations

from attrs import frozen

from plx_core.components.component import default_registry
from plx_core.errors import UnknownComponent
from plx_core.hookspecs import KINDS, Factory


@frozen
class Namespace:
    """The installed components of one kind, as attributes."""

    _kind: str

    def __getattr__(self, name: str) -> Factory:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return default_registry().find(self._kind, name).load()
        except UnknownComponent as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        return [entry.name for entry in default_registry().entries(self._kind)]

    def __repr__(self) -> str:
        return f"<the {self._kind} of the installed plug-ins>"


@frozen
class Kinds:
    """The kinds of reinforcement learning in one namespace: `plx.rl.memories.Memory`."""

    def __getattr__(self, name: str) -> Namespace:
        if name not in KINDS:
            raise AttributeError(f"plx.rl has no {name}; it has {', '.join(dir(self))}")
        return Namespace(name)

    def __dir__(self) -> list[str]:
        return ["agents", "dynamics", "environments", "explorations", "memories", "wrappers"]
