"""A component as data: a kind, a name and parameters, from which a fresh object is made each time it is asked for."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
from attrs import evolve, field, frozen

from plx_core.annotations import Of
from plx_core.components.json_schema import is_mode, kind_by_name, type_hints
from plx_core.errors import ComponentError, ConfigError, Place, PlxError, Problem, reason_of
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import SINGULAR, Entry, Registry

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
    from plx_core.components.bound_activation import BoundActivation

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


def structure_params(
    factory: Any, params: Mapping[str, Any], supplied: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters as the factory's annotations want them.

    A component is built where the annotation says `Of(kind)` or says nothing; it stays data inside an attrs class.
    """
    hints = type_hints(factory)
    return {
        name: _structure(
            value, hints[name] if name in hints else _hint_by_name(name, value), supplied
        )
        for name, value in params.items()
    }


def _hint_by_name(name: str, value: Any) -> Any:
    """What Keras's parameters take goes by their names; a text is left to Keras, which knows its own."""
    kind = kind_by_name(name) if isinstance(value, Mapping) else None
    return Annotated[Any, Of(kind)] if kind else Any


def structure(data: Any, target: Any) -> Any:
    """Plain data as an instance of `target`, without any coercion between types.

    Raises:
        cattrs.BaseValidationError: the data does not fit; all misfits are in the group.
    """
    return converter().structure(data, target)


def _structure(value: Any, hint: Any, supplied: Mapping[str, Any]) -> Any:
    if isinstance(value, Component):
        return value if _holds_data(hint) else value.build(**supplied)
    if value is None or hint is Any:
        return _build_all(value, supplied)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        kinds = [extra.kind for extra in hint.__metadata__ if isinstance(extra, Of)]
        if not kinds or not isinstance(value, (str, Mapping)):
            return _structure(value, arguments[0], supplied)
        return (
            Component.of(kinds[0], value)
            if _holds_data(hint)
            else make(kinds[0], value, **supplied)
        )
    if origin in (Union, UnionType):
        return _structure(value, _alternative(value, arguments), supplied)
    if attrs.has(hint) and isinstance(value, Mapping):
        return converter().structure(value, hint)
    if isinstance(value, Mapping) and len(arguments) == 2:
        return {key: _structure(item, arguments[1], supplied) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str) and arguments:
        items = [_structure(item, arguments[0], supplied) for item in value]
        return tuple(items) if origin is tuple else items
    return _build_all(value, supplied)


def _holds_data(hint: Any) -> bool:
    return hint is Component or Component in get_args(hint)


def _alternative(value: Any, choices: tuple[Any, ...]) -> Any:
    """Which member of a union a value was written for: a mapping for a class or mapping, a list for a list, else the first."""
    for choice in choices:
        origin = get_origin(choice) or choice
        if isinstance(value, Mapping) and (
            attrs.has(choice) or (inspect.isclass(origin) and issubclass(origin, Mapping))
        ):
            return choice
        if (
            isinstance(value, list)
            and inspect.isclass(origin)
            and issubclass(origin, Sequence)
            and origin is not str
        ):
            return choice
    annotated = [choice for choice in choices if get_origin(choice) is Annotated]
    return annotated[0] if annotated else Any


def _build_all(value: Any, supplied: Mapping[str, Any]) -> Any:
    if isinstance(value, Component):
        return value.build(**supplied)
    if isinstance(value, Mapping):
        return {key: _build_all(item, supplied) for key, item in value.items()}
    if isinstance(value, list):
        return [_build_all(item, supplied) for item in value]
    return value


@functools.cache
def converter() -> Any:
    """Return the cattrs converter of configs, which keeps components as data.

    It is built when it is first used, because importing cattrs takes some 90 ms.
    """
    from plx_core.components.strict_converter import strict_converter, unchanged

    result = strict_converter()
    result.register_structure_hook(Component, unchanged)
    result.register_unstructure_hook(
        Component, lambda component: {component.name: result.unstructure(dict(component.params))}
    )
    return result
