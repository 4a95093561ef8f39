"""Annotations and signatures to JSON Schema: one description that reading, checking and editors share.

Beyond draft-07, three keywords are our own: `x-component` (a component of that kind), `x-exists` (an existing file or
folder) and `x-python` (given in Python only).
"""

from __future__ import annotations

import builtins
import collections.abc
import enum
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs

from plx_core.annotations import Existing, Of, PythonOnly, Range
from plx_core.state import Modes

Schema: TypeAlias = dict[str, Any]

SUPPLIED: Mapping[str, frozenset[str]] = {"trackers": frozenset({"directory"})}
"""The parameters that core fills in and a config never writes, by kind; besides a `mode` that is one of `Modes`."""

SCALARS: Mapping[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    NoneType: "null",
}

KERAS_NAMES: tuple[tuple[str, Schema], ...] = (
    (r"initializer$", {"x-component": "initializers"}),
    (r"regularizer$", {"x-component": "regularizers"}),
    (r"constraint$", {"x-component": "constraints"}),
    (r"activation$", {"x-component": "activations"}),
    (r"^learning_rate$", {"anyOf": [{"type": "number"}, {"x-component": "schedules"}]}),
    (r"^((forward|backward)_)?layer$|^cell$", {"x-component": "layers"}),
    (r"^(cells|layers)$", {"type": "array", "items": {"x-component": "layers"}}),
)
"""What a parameter without an annotation takes, by its name: Keras annotates nothing and names its parameters alike."""


def schema_of(annotation: Any) -> Schema:
    """The schema of a type annotation; one that says nothing of a config's value gives `{}`, which admits all."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any or annotation is _Anything:
        return {}
    if annotation in SCALARS:
        return {"type": SCALARS[annotation]}
    if origin is Annotated:
        return _annotated(schema_of(arguments[0]), annotation.__metadata__)
    if origin in (Union, UnionType):
        return _any_of([schema_of(argument) for argument in arguments])
    if origin is Literal:
        return {"enum": list(arguments)}
    if inspect.isclass(annotation) and issubclass(annotation, enum.Enum):
        return {"enum": [member.value for member in annotation]}
    if attrs.has(annotation):
        return {"x-class": f"{annotation.__module__}:{annotation.__qualname__}"} | class_schema(
            annotation
        )
    if origin is collections.abc.Callable or annotation is collections.abc.Callable:
        return {"x-python": True}
    return _container(origin or annotation, arguments)


def class_schema(cls: type) -> Schema:
    """The schema of an attrs class that core owns: its fields, their types, defaults and what they mean."""
    hints = get_type_hints(cls, include_extras=True)
    properties: Schema = {}
    required = []
    for attribute in attrs.fields(cls):
        if not attribute.init:
            continue
        schema = dict(schema_of(hints[attribute.name]))
        if attribute.default is attrs.NOTHING:
            required.append(attribute.name)
        elif not isinstance(attribute.default, attrs.Factory):  # type: ignore[arg-type]
            schema["default"] = attribute.default
        if text := attribute.metadata.get("help"):
            schema["description"] = text
        if alias := attribute.metadata.get("alias"):
            schema["x-alias"] = alias
        properties[attribute.name] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def factory_schema(factory: Callable[..., Any], kind: str = "") -> Schema:
    """The schema of a factory's parameters, read off its signature.

    A class that passes `**kwargs` on also has its parents' parameters, as Keras's layers do.
    """
    properties: Schema = {}
    required = []
    is_open = False
    hints = type_hints(factory)
    for position, parameter in enumerate(_parameters(factory)):
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = not inspect.isclass(factory)
            continue
        skip = kind == "activations" and position == 0
        if skip or parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue
        if parameter.name in SUPPLIED.get(kind, ()) or is_mode(parameter):
            continue
        properties[parameter.name] = _parameter_schema(parameter, hints)
        if parameter.default is parameter.empty:
            required.append(parameter.name)
    schema: Schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": is_open,
    }
    if summary := (inspect.getdoc(factory) or "").strip().split("\n\n")[0]:
        schema["description"] = " ".join(summary.split())
    return schema


def is_mode(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is what a model or a pipeline is built for; a `mode` of another meaning has a default that says so."""
    return parameter.name == "mode" and parameter.default in (parameter.empty, *Modes)


def type_hints(factory: Callable[..., Any]) -> dict[str, Any]:
    """A factory's annotations as types; names that exist for type checkers only become `Any`."""
    callee: Any = factory if hasattr(factory, "__signature__") else inspect.unwrap(factory)
    if inspect.isclass(callee) and not attrs.has(callee):
        callee = callee.__init__
    elif not hasattr(callee, "__annotations__"):
        callee = type(callee).__call__
    owners = callee.__mro__ if inspect.isclass(callee) else (callee,)
    known = (
        {name for owner in owners for name in vars(sys.modules[owner.__module__])}
        if hasattr(callee, "__module__")
        else set()
    )
    try:
        return get_type_hints(callee, localns=_Permissive(known), include_extras=True)
    except (
        TypeError,
        AttributeError,
    ):  # annotations that are not types say nothing of a config's value
        return {}


def _parameters(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    if not inspect.isclass(factory) or hasattr(factory, "__signature__"):
        return list(_signature(factory))
    found: dict[str, inspect.Parameter] = {}
    named = False
    for cls in factory.__mro__:
        if "__init__" not in vars(cls):
            continue
        own = list(_signature(vars(cls)["__init__"]))[1:]
        for parameter in own:
            # What a parent requires and a child with parameters of its own does not name, the child supplies itself.
            if (
                parameter.default is not parameter.empty
                or parameter.kind is parameter.VAR_KEYWORD
                or not named
            ):
                found.setdefault(parameter.name, parameter)
        named = named or any(
            parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            for parameter in own
        )
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
    return list(found.values())


def _signature(callee: Callable[..., Any]) -> collections.abc.Iterable[inspect.Parameter]:
    try:
        return inspect.signature(callee).parameters.values()
    except (TypeError, ValueError):  # some C callables have none
        return [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]


def _parameter_schema(parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Schema:
    annotated = parameter.name in hints
    schema = dict(schema_of(hints[parameter.name]) if annotated else _guess(parameter))
    if parameter.default is not parameter.empty and _is_plain(parameter.default):
        schema["default"] = parameter.default
        if parameter.default is None and schema and not allows_null(schema):
            schema = _any_of([schema, {"type": "null"}]) | {"default": None}
    return schema


def kind_by_name(name: str) -> str | None:
    """The kind of component that a parameter without an annotation takes, by its name."""
    schema = _by_name(name)
    choices = [
        choice["x-component"]
        for choice in (schema, *schema.get("anyOf", ()))
        if "x-component" in choice
    ]
    return choices[0] if choices else None


def _by_name(name: str) -> Schema:
    return next((schema for pattern, schema in KERAS_NAMES if re.search(pattern, name)), {})


def _guess(parameter: inspect.Parameter) -> Schema:
    if schema := _by_name(parameter.name):
        return schema
    if isinstance(parameter.default, bool):
        return {"type": "boolean"}
    if isinstance(parameter.default, float):
        return {"type": "number"}
    if isinstance(parameter.default, (int, tuple)):
        return {"anyOf": [{"type": "number"}, {"type": "array"}]}
    return {}


def _annotated(schema: Schema, metadata: tuple[Any, ...]) -> Schema:
    for extra in metadata:
        if isinstance(extra, Of):
            schema = {"x-component": extra.kind}
        elif isinstance(extra, Existing):
            schema = schema | {"x-exists": True}
        elif isinstance(extra, PythonOnly):
            schema = {"x-python": True}
        elif isinstance(extra, Range):
            bounds = {
                "minimum": extra.minimum,
                "maximum": extra.maximum,
                "exclusiveMinimum": extra.above,
                "exclusiveMaximum": extra.below,
            }
            schema = schema | {key: bound for key, bound in bounds.items() if bound is not None}
    return schema


def _container(origin: Any, arguments: tuple[Any, ...]) -> Schema:
    if not inspect.isclass(origin):
        return {}
    if issubclass(origin, collections.abc.Mapping):
        values = schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    if issubclass(origin, (collections.abc.Sequence, collections.abc.Set)) and not issubclass(
        origin, (str, bytes)
    ):
        if origin is tuple and arguments and arguments[-1] is not Ellipsis:
            return {
                "type": "array",
                "items": _any_of([schema_of(argument) for argument in arguments]),
                "minItems": len(arguments),
                "maxItems": len(arguments),
            }
        items = schema_of(arguments[0]) if arguments else {}
        return {"type": "array"} | ({"items": items} if items else {})
    return {}


def _any_of(schemas: list[Schema]) -> Schema:
    unique: list[Schema] = []
    for schema in schemas:
        if "x-python" not in schema and schema not in unique:
            unique += schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    if {} in unique:
        return {}
    if not unique or (unique == [{"type": "null"}] and len(schemas) > 1):
        return {"x-python": True}
    return unique[0] if len(unique) == 1 else {"anyOf": unique}


def allows_null(schema: Schema) -> bool:
    """Whether null is a value that the schema admits."""
    return (
        not schema
        or schema.get("type") == "null"
        or None in schema.get("enum", ())
        or any(allows_null(choice) for choice in schema.get("anyOf", ()))
    )


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


class _Unknown(type):
    def __getattr__(cls, name: str) -> Any:
        return Any


class _Anything(metaclass=_Unknown):
    """Stands for a name that only type checkers import."""


class _Permissive(dict[str, Any]):
    """Local names for evaluating annotations: whatever is not a global is `_Anything`."""

    def __init__(self, known: collections.abc.Set[str]) -> None:
        self._known = known

    def __contains__(self, name: object) -> bool:
        return name not in self._known and not hasattr(builtins, str(name))

    def __getitem__(self, name: str) -> Any:
        if name in self:
            return _Anything
        raise KeyError(name)
