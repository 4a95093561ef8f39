"""Convert annotations and signatures to JSON Schema, for checking configs and for editors.

Keywords of our own, beyond draft-07: `x-component` (a component of that kind), `x-exists` (an
existing file or folder), `x-python` (can be passed in Python only), `x-class` (the attrs class),
`x-alias` (an older name) and `x-keras` (a type from the table of Keras's parameters).
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

from plx_core.annotations import Existing, Format, Of, PythonOnly, Range
from plx_core.state import Modes

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema."""

Hint: TypeAlias = Any
"""A type annotation, evaluated: a class, a union, an `Annotated`, …"""

SUPPLIED: Mapping[str, frozenset[str]] = {"trackers": frozenset({"directory"})}
"""The parameters, by kind, that core supplies and no config has. Core also supplies `mode`."""

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
"""Schemas of parameters without annotation by name: Keras has regular names instead."""

_COUNT: Schema = {"type": "integer", "minimum": 1}
_INTEGER: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_STRING: Schema = {"type": "string"}
_LIST: Schema = {"type": "array"}
_NULL: Schema = {"type": "null"}
KERAS_TYPES: tuple[tuple[str, tuple[Schema, ...]], ...] = (
    (
        r"^(units|filters|(key|head|input|output)_dim|num_classes|num(_query|_key_value)?_heads"
        r"|decay_steps|first_decay_steps|n|max_number|height|width)$",
        (_COUNT,),
    ),
    (
        r"^(value_dim|lora_rank|sliding_window|gptq_unpacked_column_size|gradient_accumulation_steps|ema_overwrite_frequency|max_tokens"
        r"|num_(bins|labels|tokens)|top_k|fft_length|frame_step|sequence_length"
        r"|output_sequence_length)$",
        (_COUNT, _NULL),
    ),
    (r"^(seed|class_id|ignore_class)$", (_INTEGER, _NULL)),
    (r"^(kernel_size|pool_size|size|output_size)$", (_COUNT, _LIST)),
    (r"^(strides|dilation_rate|output_padding|ngrams|salt)$", (_INTEGER, _LIST, _NULL)),
    (r"^(axis|axes|shared_axes|attention_axes|output_shape)$", (_INTEGER, _LIST, _NULL)),
    (r"^(target_shape|dims|target_class_ids|boundaries|values|value_range)$", (_LIST,)),
    (
        r"^(noise_shape|(input|output)_axes|bin_boundaries|idf_weights|label_weights"
        r"|exclude_layers)$",
        (_LIST, _NULL),
    ),
    (
        r"^((global_)?clipnorm|clipvalue|weight_decay|loss_scale_factor|lora_alpha|threshold"
        r"|max_value|max_freq|fill_value|logit_soft_cap|warmup_target|mask_value)$",
        (_NUMBER, _NULL),
    ),
    (
        r"^(rate|stddev|decay_rate|initial_learning_rate|precision|recall|sensitivity"
        r"|specificity)$",
        (_NUMBER,),
    ),
    (r"factor$|^(mean|variance|thresholds)$", (_NUMBER, _LIST, _NULL)),
    (r"^(alpha|scale)$", (_NUMBER, _LIST)),
    (
        r"^(name|dtype|reverse_dtype|data_format|average|bias_axes|bounding_box_format)$",
        (_STRING, _NULL),
    ),
    (r"^equation$", (_STRING,)),
    (r"^(vocabulary|weights)$", (_STRING, _LIST, _NULL)),
    (r"^window$", (_STRING, _LIST)),
    (r"^mask_token$", (_INTEGER, _STRING, _NULL)),
    (r"^use_cudnn$", ({"type": "boolean"}, {"enum": ["auto"]})),
    (r"^flash_attention$", ({"type": "boolean"}, _NULL)),
    (r"^renorm_clipping$", ({"type": "object"}, _NULL)),
)
"""The types of the parameters of Keras's own parts by name; their documentation has them only."""


def schema_of(annotation: Hint) -> Schema:
    """Return the schema of an annotation; `{}` (anything) if the annotation constrains nothing."""
    origin: Hint = get_origin(annotation)
    arguments = get_args(annotation)
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
    """Return the schema of an attrs class: the types, defaults, help and aliases of its fields."""
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
    """Return the schema of a factory's parameters according to its signature.

    A class whose constructor takes `**kwargs` also has the parameters of its parents, as Keras
    layers do.

    Args:
        factory: a class or function.
        kind: the kind of component; decides which parameters core supplies.
    """
    properties: Schema = {}
    required = []
    is_open = False
    hints = type_hints(factory)
    names_of_keras = _names_of_keras(factory)
    for position, parameter in enumerate(_parameters(factory)):
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = not inspect.isclass(factory)
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue
        if kind == "activations" and position == 0:  # the tensor
            continue
        if parameter.name in SUPPLIED.get(kind, ()) or is_mode(parameter):
            continue
        is_of_keras = parameter.name in names_of_keras
        properties[parameter.name] = _parameter_schema(parameter, hints, is_of_keras=is_of_keras)
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
    """Return whether this is the run mode (one of `Modes`), not an unrelated `mode`."""
    return parameter.name == "mode" and parameter.default in (parameter.empty, *Modes)


def type_hints(factory: Callable[..., Any]) -> dict[str, Any]:
    """Return the evaluated annotations of a factory by parameter.

    Names that are imported for type checkers only become `Any`.
    """
    callee: Any = factory if hasattr(factory, "__signature__") else inspect.unwrap(factory)
    if inspect.isclass(callee) and not attrs.has(callee):
        callee = callee.__init__
    elif not hasattr(callee, "__annotations__"):
        callee = type(callee).__call__
    owners = callee.__mro__ if inspect.isclass(callee) else (callee,)
    names: set[str] = set()
    if hasattr(callee, "__module__"):
        names = {name for owner in owners for name in vars(sys.modules[owner.__module__])}
    try:
        return get_type_hints(callee, localns=_Permissive(names), include_extras=True)
    except (TypeError, AttributeError):  # annotations that are not types constrain nothing
        return {}


def _parameters(factory: Callable[..., Any]) -> list[inspect.Parameter]:
    if not inspect.isclass(factory) or hasattr(factory, "__signature__"):
        return list(_signature(factory))
    parameters: dict[str, inspect.Parameter] = {}
    has_names = False
    for cls in factory.__mro__:
        if "__init__" not in vars(cls):
            continue
        own = list(_signature(vars(cls)["__init__"]))[1:]
        for parameter in own:
            # A child with named parameters supplies the required parameters of its parents itself.
            if (
                parameter.default is not parameter.empty
                or parameter.kind is parameter.VAR_KEYWORD
                or not has_names
            ):
                parameters.setdefault(parameter.name, parameter)
        has_names = has_names or any(
            parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            for parameter in own
        )
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
            break
    return list(parameters.values())


def _signature(callee: Callable[..., Any]) -> collections.abc.Iterable[inspect.Parameter]:
    try:
        return inspect.signature(callee).parameters.values()
    except (TypeError, ValueError):  # some C callables have none
        return [inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)]


def _names_of_keras(factory: Callable[..., Any]) -> set[str]:
    """Return the parameters that a class of Keras defines, not one that is derived from it."""
    callee = inspect.unwrap(factory)
    own: set[str] = set()
    others: set[str] = set()
    for cls in callee.__mro__ if inspect.isclass(callee) else ():
        if "__init__" in vars(cls):
            names = {parameter.name for parameter in _signature(vars(cls)["__init__"])}
            is_of_keras = cls.__module__.startswith("keras.")
            (own if is_of_keras else others).update(names - own - others)
    return own


def _parameter_schema(
    parameter: inspect.Parameter, hints: Mapping[str, Any], *, is_of_keras: bool
) -> Schema:
    if parameter.name in hints:
        schema = schema_of(hints[parameter.name])
    else:
        schema = dict(_guess(parameter, is_of_keras=is_of_keras))
    if parameter.default is not parameter.empty and _is_plain(parameter.default):
        schema["default"] = parameter.default
        if parameter.default is None and schema and not allows_null(schema):
            schema = _any_of([schema, {"type": "null"}]) | {"default": None}
    return schema


def kind_by_name(name: str) -> str | None:
    """Return the kind of component that a parameter of this name takes without an annotation."""
    schema = _by_name(name)
    for choice in (schema, *schema.get("anyOf", ())):
        if "x-component" in choice:
            return str(choice["x-component"])
    return None


def _by_name(name: str) -> Schema:
    return next((schema for pattern, schema in KERAS_NAMES if re.search(pattern, name)), {})


def _guess(parameter: inspect.Parameter, *, is_of_keras: bool) -> Schema:
    if schema := _by_name(parameter.name):
        return schema
    if isinstance(parameter.default, bool):
        return {"type": "boolean"}
    if is_of_keras:
        for pattern, choices in KERAS_TYPES:
            if re.search(pattern, parameter.name):
                return _any_of(list(choices)) | {"x-keras": True}
        if isinstance(parameter.default, str):
            return _any_of([_STRING, _NULL])
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
        elif isinstance(extra, Format):
            schema = schema | {"format": extra.name}
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


def _container(origin: Hint, arguments: tuple[Hint, ...]) -> Schema:
    if not inspect.isclass(origin) or issubclass(origin, (str, bytes)):
        return {}
    if issubclass(origin, collections.abc.Mapping):
        values = schema_of(arguments[1]) if len(arguments) == 2 else {}
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    if not issubclass(origin, (collections.abc.Sequence, collections.abc.Set)):
        return {}
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return {
            "type": "array",
            "items": _any_of([schema_of(argument) for argument in arguments]),
            "minItems": len(arguments),
            "maxItems": len(arguments),
        }
    items = schema_of(arguments[0]) if arguments else {}
    return {"type": "array"} | ({"items": items} if items else {})


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
    """Return whether null fits the schema."""
    return (
        not schema
        or schema.get("type") == "null"
        or None in schema.get("enum", ())
        or any(allows_null(choice) for choice in schema.get("anyOf", ()))
    )


def _is_plain(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


class _AnythingType(type):
    def __getattr__(cls, name: str) -> Hint:
        return Any


class _Anything(metaclass=_AnythingType):
    """Replaces a name that is imported for type checkers only, and its attributes."""


class _Permissive(dict[str, Any]):
    """Local names for evaluating annotations: every name that is not a global is `_Anything`."""

    def __init__(self, global_names: collections.abc.Set[str]) -> None:
        self._global_names = global_names

    def __contains__(self, name: object) -> bool:
        return name not in self._global_names and not hasattr(builtins, str(name))

    def __getitem__(self, name: str) -> Hint:
        if name in self:
            return _Anything
        raise KeyError(name)
