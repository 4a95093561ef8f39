"""A component as data: a kind, a name and parameters, from which fresh objects are built."""

from __future__ import annotations

import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

import attrs
from attrs import evolve, field, frozen

from plx_core.annotations import Of
from plx_core.components.json_schema import Hint, is_mode, kind_by_name, type_hints
from plx_core.errors import ComponentError, ConfigError, Place, PlxError, Problem, failure_of
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import SINGULAR, Entry, Registry
from plx_core.types import Part

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")

_active: contextvars.ContextVar[Registry | None] = contextvars.ContextVar(
    "plx_registry", default=None
)


@functools.cache
def default_registry() -> Registry:
    """Return the registry of the installed plug-ins, which is collected once per process."""
    return Registry(load_plugins())


def active_registry() -> Registry:
    """Return the registry of the component that is being built, or else the default one."""
    return _active.get() or default_registry()


def requested_plugins() -> list[str]:
    """Return the modules and files that the user requested besides the installed plug-ins.

    Another process loads the same plug-ins by `load_plugins` of these. Called while a component is
    built, it answers for that component's run.
    """
    return active_registry().plugins.requested


@frozen
class Component:
    """The description of one component in a config; `build` makes the object.

    Args:
        kind: one of `plx_core.KINDS`; empty if only the place of use decides it.
        name: the name of the component.
        params: its parameters.
        place: where it was written.
        path: its path in the config.
        registry: the registry that has it; the installed plug-ins if None.
    """

    kind: str
    name: str
    params: Mapping[str, Any] = field(factory=dict)
    place: Place | None = field(default=None, eq=False)
    path: str = field(default="", eq=False)
    registry: Registry | None = field(default=None, eq=False, repr=False)

    @classmethod
    def of(cls, kind: str, value: object) -> Component:
        """Convert a name, a mapping with one name, or a component of unknown kind to a component.

        Raises:
            ComponentError: the value is none of these, or a component of another kind.
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
            f"expected a {SINGULAR[kind]}: a name, or a name with its parameters, {{Name: {{…}}}}; "
            f"got {value!r}"
        )

    @property
    def entry(self) -> Entry:
        """The registry's entry for the component."""
        return self._registry.find(self.kind, self.name)

    def build(self, **supplied: object) -> Part:
        """Build the object, after building the components among its parameters.

        Args:
            supplied: values such as `mode` or `seed`, used for the parameters of these names that
                the factory has and the config leaves out.

        Raises:
            ConfigError: the factory rejected the parameters.
        """
        with explaining(self), self._in_registry():
            entry = self.entry
            factory = entry.load()
            params = structure_params(factory, self._renamed_params(entry, factory), supplied)
            if self.kind == "activations" and not inspect.isclass(factory):
                return _bind(factory, params) if params else factory
            return factory(**_choose_supplied(factory, params, supplied), **params)

    @contextmanager
    def _in_registry(self) -> Iterator[None]:
        token = _active.set(self._registry)
        try:
            yield
        finally:
            _active.reset(token)

    @property
    def _registry(self) -> Registry:
        return self.registry or active_registry()

    def _renamed_params(self, entry: Entry, factory: Callable[..., Part]) -> dict[str, Any]:
        """Return the parameters with older names replaced by current ones."""
        names = parameter_names(factory)
        renamed = {
            older: name
            for older, name in self._registry.older_parameters(entry).items()
            if older in self.params and older not in names and name in names
        }
        for older, name in renamed.items():
            if name in self.params:
                raise ValueError(f"{name} is given twice, also as {older}")
        return {renamed.get(name, name): value for name, value in self.params.items()}


@contextmanager
def explaining(component: Component | None, doing: str = "", remedy: str = "") -> Iterator[None]:
    """Turn whatever the code of a part raises into a message.

    The message has the place of the component, its name and its plug-in. A `PlxError` is a message
    already, and an interrupt from the keyboard is no mistake of the part.

    Args:
        component: the part; None for an object that was passed in Python.
        doing: what fails, at the beginning of the message.
        remedy: what may help, at the end of the message.

    Raises:
        ConfigError: the body raised any other exception.
    """
    try:
        yield
    except PlxError:
        raise
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        message = f"{doing}{failure_of(error)}{remedy}"
        problem = Problem("", message)
        if component is not None:
            message += _origin(component)
            problem = Problem(component.path or component.name, message, component.place)
        raise ConfigError([problem]) from error


def _origin(component: Component) -> str:
    try:
        entry = component.entry
    except PlxError:  # nobody offers it
        return ""
    return f" ({entry.label} of plug-in {entry.plugin.name})"


def make(kind: str, value: object, **supplied: object) -> Part:
    """Build a name, a mapping or a component; return any other value unchanged."""
    if isinstance(value, (str, Mapping, Component)):
        return Component.of(kind, value).build(**supplied)
    return value


def parameter_names(factory: Callable[..., object]) -> frozenset[str]:
    """Return the names of a factory's parameters."""
    return frozenset(parameter.name for parameter in _parameters(factory))


def _parameters(factory: Callable[..., object]) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # a few built-in callables have no signature
        return ()


def _bind(function: Callable[..., Part], params: Mapping[str, Any]) -> Part:
    from plx_core.components.bound_activation import BoundActivation

    return BoundActivation(function, params)


def _choose_supplied(
    factory: Callable[..., Part], params: Mapping[str, Any], supplied: Mapping[str, object]
) -> dict[str, object]:
    """Return the supplied values that the factory takes and the parameters leave out."""
    names = {
        parameter.name
        for parameter in _parameters(factory)
        if parameter.name != "mode" or is_mode(parameter)
    }
    return {name: value for name, value in supplied.items() if name in names and name not in params}


def structure_params(
    factory: Callable[..., Part], params: Mapping[str, Any], supplied: Mapping[str, object]
) -> dict[str, object]:
    """Convert parameters to the types of the factory's annotations.

    A component is built where the annotation is `Of(kind)` or missing. In an attrs class it stays
    data.
    """
    hints = type_hints(factory)
    return {
        name: _structure(
            value, hints[name] if name in hints else _hint_by_name(name, value), supplied
        )
        for name, value in params.items()
    }


def _hint_by_name(name: str, value: object) -> Hint:
    """Infer the kind from the name, as Keras has no annotations; leave strings for Keras."""
    kind = kind_by_name(name) if isinstance(value, Mapping) else None
    return Annotated[Any, Of(kind)] if kind else Any


def structure(data: object, target: type[T]) -> T:
    """Convert plain data to an instance of `target`, without any coercion between types.

    Raises:
        cattrs.BaseValidationError: the data does not fit; the group has every mistake.
    """
    return converter().structure(data, target)


def _structure(value: object, hint: Hint, supplied: Mapping[str, object]) -> object:
    if isinstance(value, Component):
        return value if _is_data(hint) else value.build(**supplied)
    if value is None or hint is Any:
        return _build_all(value, supplied)
    origin: Hint = get_origin(hint)
    arguments = get_args(hint)
    if origin is Annotated:
        kinds = [extra.kind for extra in hint.__metadata__ if isinstance(extra, Of)]
        if not kinds or not isinstance(value, (str, Mapping)):
            return _structure(value, arguments[0], supplied)
        component = Component.of(kinds[0], value)
        return component if _is_data(hint) else component.build(**supplied)
    if origin in (Union, UnionType):
        return _structure(value, _choose_member(value, arguments), supplied)
    if attrs.has(hint) and isinstance(value, Mapping):
        return structure(value, hint)
    if isinstance(value, Mapping) and len(arguments) == 2:
        return {key: _structure(item, arguments[1], supplied) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str) and arguments:
        items = [_structure(item, arguments[0], supplied) for item in value]
        return tuple(items) if origin is tuple else items
    return _build_all(value, supplied)


def _is_data(hint: Hint) -> bool:
    """Return whether the factory wants the component itself and builds it later."""
    return hint is Component or Component in get_args(hint)


def _choose_member(value: object, members: tuple[Hint, ...]) -> Hint:
    """Return the member of a union that fits a value.

    A mapping fits a class or mapping, and a list fits a list. Any other value fits the first
    annotated member.
    """
    for member in members:
        origin: Hint = get_origin(member)
        if origin is None:
            origin = member
        is_class = inspect.isclass(origin)
        if isinstance(value, Mapping) and (
            attrs.has(member) or (is_class and issubclass(origin, Mapping))
        ):
            return member
        if (
            isinstance(value, list)
            and is_class
            and issubclass(origin, Sequence)
            and origin is not str
        ):
            return member
    annotated = [member for member in members if hasattr(member, "__metadata__")]
    return annotated[0] if annotated else Any


def _build_all(value: object, supplied: Mapping[str, object]) -> object:
    if isinstance(value, Component):
        return value.build(**supplied)
    if isinstance(value, Mapping):
        return {key: _build_all(item, supplied) for key, item in value.items()}
    if isinstance(value, list):
        return [_build_all(item, supplied) for item in value]
    return value


@functools.cache
def converter() -> cattrs.Converter:
    """Return the cattrs converter of configs: strict, so that no value is coerced.

    It rejects unknown keys and values of a wrong type. Components, and unions that the schema has
    already checked, are left unchanged. It is built on first use, because importing cattrs takes
    about 90 ms.
    """
    import cattrs

    result = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar in (bool, int, float, str):
        result.register_structure_hook(scalar, _strict(scalar))
    result.register_structure_hook_func(_is_component_hint, _unchanged)
    result.register_structure_hook_func(_is_union_of_plain_values, _unchanged)
    result.register_structure_hook(Component, _unchanged)
    result.register_unstructure_hook(
        Component, lambda component: {component.name: result.unstructure(dict(component.params))}
    )
    return result


def _unchanged(value: T, _: object) -> T:
    """Return the value: a structure hook for values that need no conversion."""
    return value


def _strict(scalar: type) -> Callable[[object, object], object]:
    def hook(value: object, _: object) -> object:
        if isinstance(value, scalar) and isinstance(value, bool) is (scalar is bool):
            return value
        if scalar is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        raise ValueError(f"expected {scalar.__name__}, got {value!r}")

    return hook


def _is_component_hint(hint: object) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(extra, Of) for extra in get_args(hint)[1:]
    )


def _is_union_of_plain_values(hint: object) -> bool:
    """Return whether a hint is a union without classes, between which cattrs refuses to choose."""
    if get_origin(hint) not in (Union, UnionType):
        return False
    members = [member for member in get_args(hint) if member is not type(None)]
    return len(members) > 1 and not any(attrs.has(member) for member in members)
