"""Plain data to typed values: strict cattrs hooks, and components built where a signature asks for them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from plx_core.annotations import Of
from plx_core.components import Component, make
from plx_core.schema import kind_by_name, type_hints


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
    return converter.structure(data, target)


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
        return converter.structure(value, hint)
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


def _strict(kind: type) -> Any:
    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
            if kind is float and isinstance(value, int) and not isinstance(value, bool):
                return float(value)
            raise ValueError(f"expected {kind.__name__}, got {value!r}")
        return value

    return hook


def _component_hook(value: Any, _: Any) -> Any:
    return value


def _make_converter() -> cattrs.Converter:
    strict = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (bool, int, float, str):
        strict.register_structure_hook(kind, _strict(kind))
    strict.register_structure_hook(Component, _component_hook)
    strict.register_structure_hook_func(_is_component_hint, _component_hook)
    strict.register_structure_hook_func(_is_plain_union, _component_hook)
    strict.register_unstructure_hook(
        Component, lambda component: {component.name: strict.unstructure(dict(component.params))}
    )
    return strict


def _is_component_hint(hint: Any) -> bool:
    return get_origin(hint) is Annotated and any(
        isinstance(extra, Of) for extra in hint.__metadata__
    )


def _is_plain_union(hint: Any) -> bool:
    """Unions of scalars and lists: the schema has checked them, and cattrs would refuse to choose."""
    if get_origin(hint) not in (Union, UnionType):
        return False
    members = [member for member in get_args(hint) if member is not type(None)]
    return (
        len(members) > 1
        and not any(attrs.has(member) for member in members)
        and get_origin(hint) is not Literal
    )


converter = _make_converter()
"""The one converter of plx: strict, rejecting unknown keys."""
