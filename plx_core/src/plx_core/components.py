"""A component as data: a kind, a name and parameters, from which a fresh object is made each time it is asked for."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from plx_core.errors import ComponentError, ConfigError, Place, PlxError, Problem, reason_of
from plx_core.plugins import load_plugins
from plx_core.registry import SINGULAR, Entry, Registry
from plx_core.schema import is_mode

_active: contextvars.ContextVar[Registry | None] = contextvars.ContextVar(
    "plx_registry", default=None
)


@functools.cache
def default_registry() -> Registry:
    """The registry of the installed plug-ins, collected once a process."""
    return Registry(load_plugins())


def active_registry() -> Registry:
    """The registry of the component that is being built, or the default one."""
    return _active.get() or default_registry()


@frozen
class Component:
    """What a config says of one part; `build` makes it.

    Args:
        kind: one of `plx_core.KINDS`; empty when only the place where it is used can tell.
        name: the component's name.
        params: its parameters.
        place: where it was written.
        path: its path in the config.
        registry: where it is found; the installed plug-ins when None.
    """

    kind: str
    name: str
    params: Mapping[str, Any] = field(factory=dict)
    place: Place | None = field(default=None, eq=False)
    path: str = field(default="", eq=False)
    registry: Registry | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, kind: str, value: Any) -> Component:
        """The component that a name, a one-pair mapping or a component stands for.

        Raises:
            ComponentError: the value is none of these.
        """
        if isinstance(value, Component):
            if value.kind not in ("", kind):
                raise ComponentError(
                    f"expected a {SINGULAR[kind]}, got the {SINGULAR[value.kind]} {value.name}"
                )
            return evolve(value, kind=kind)
        if isinstance(value, str):
            return cls(kind, value)
        if isinstance(value, Mapping) and len(value) == 1:
            (name, params), *_ = value.items()
            if params is None or isinstance(params, Mapping):
                return cls(kind, name, params or {})
        raise ComponentError(
            f"expected a {SINGULAR[kind]}: a name, or a name with its parameters, {{Name: {{…}}}}; got {value!r}"
        )

    @property
    def entry(self) -> Entry:
        """Where the component is found."""
        return (self.registry or active_registry()).find(self.kind, self.name)

    def build(self, **supplied: Any) -> Any:
        """Make the object, after making the components among its parameters.

        Args:
            supplied: values such as `mode` or `seed` for the parameters of these names that the factory has and the config
                leaves out.

        Raises:
            ConfigError: the factory refused the parameters; the message names the config's place where there is one.
        """
        from plx_core.structuring import structure_params

        token = _active.set(self.registry or active_registry())
        try:
            entry = self.entry
            factory = entry.load()
            params = structure_params(factory, self._named_as_today(entry, factory), supplied)
            if self.kind == "activations" and not inspect.isclass(factory):
                return _bound(factory, params) if params else factory
            return factory(**_missing(factory, params, supplied), **params)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                [Problem(self.path or self.name, _first_line(error), self.place)]
            ) from error
        finally:
            _active.reset(token)

    def _named_as_today(self, entry: Entry, factory: Any) -> dict[str, Any]:
        """The parameters, those of an older name by today's."""
        names = parameter_names(factory)
        older = (self.registry or active_registry()).older_parameters(entry)
        renamed = {
            name: today
            for name, today in older.items()
            if name in self.params and name not in names and today in names
        }
        if twice := [today for today in renamed.values() if today in self.params]:
            raise ValueError(
                f"{twice[0]} is given twice, also as {next(name for name in renamed if renamed[name] == twice[0])}"
            )
        return {renamed.get(name, name): value for name, value in self.params.items()}


def make(kind: str, value: Any, **supplied: Any) -> Any:
    """The object that a value stands for: built if it is a name, a mapping or a component, else the value itself."""
    if isinstance(value, (str, Mapping, Component)):
        return Component.of(kind, value).build(**supplied)
    return value


def parameter_names(factory: Any) -> frozenset[str]:
    """The names of a factory's parameters."""
    return frozenset(parameter.name for parameter in _parameters(factory))


def _parameters(factory: Any) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # a few built-in callables have no signature
        return ()


def _bound(function: Any, params: Mapping[str, Any]) -> Any:
    from plx_core.bound_activation import BoundActivation

    return BoundActivation(function, params)


def _missing(
    factory: Any, params: Mapping[str, Any], supplied: Mapping[str, Any]
) -> dict[str, Any]:
    wanted = {
        parameter.name
        for parameter in _parameters(factory)
        if parameter.name != "mode" or is_mode(parameter)
    }
    return {
        name: value
        for name, value in supplied.items()
        if name in wanted and params.get(name) is None and name not in params
    }


def _first_line(error: Exception) -> str:
    if isinstance(error, PlxError):
        return str(error)
    return reason_of(error)
