"""The cattrs converter of plx: strict, so that no value in a config is coerced."""

from __future__ import annotations

from collections.abc import Callable
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

import attrs
import cattrs

from plx_core.annotations import Of

T = TypeVar("T")


def strict_converter() -> cattrs.Converter:
    """Return a converter that rejects unknown keys and values of a wrong type.

    Components, and unions that the schema has already checked, are left unchanged.
    """
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for scalar in (bool, int, float, str):
        converter.register_structure_hook(scalar, _strict(scalar))
    converter.register_structure_hook_func(_is_component_hint, unchanged)
    converter.register_structure_hook_func(_is_union_of_plain_values, unchanged)
    return converter


def unchanged(value: T, _: object) -> T:
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
