"""The cattrs converter of plx: strict, so that nothing in a config is coerced."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from plx_core.annotations import Of


def strict_converter() -> cattrs.Converter:
    """Return a converter that rejects unknown keys and values of another type.

    Components, and unions whose members the schema has already told apart, pass unchanged.
    """
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _strict(kind))
    converter.register_structure_hook_func(_is_component_hint, unchanged)
    converter.register_structure_hook_func(_is_plain_union, unchanged)
    return converter


def unchanged(value: Any, _: Any) -> Any:
    """Return the value: a structure hook for what needs no conversion."""
    return value


def _strict(kind: type) -> Any:
    def hook(value: Any, _: Any) -> Any:
        if isinstance(value, bool) is not (kind is bool) or not isinstance(value, kind):
            if kind is float and isinstance(value, int) and not isinstance(value, bool):
                return float(value)
            raise ValueError(f"expected {kind.__name__}, got {value!r}")
        return value

    return hook


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
