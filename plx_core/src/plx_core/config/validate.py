"""Validate a tree against a schema: typed values, components, and every mistake with its place."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from attrs import define, field

from plx_core.components.component import Component
from plx_core.components.json_schema import Schema
from plx_core.components.schema_cache import Signatures, add_older_names
from plx_core.config.string_formats import FORMAT_WORDS, FORMATS, matching_paths
from plx_core.config.yaml_tree import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    ListNode,
    MapNode,
    Node,
    ObjectNode,
    PlainData,
    ScalarNode,
    integer,
    number,
    plain_value,
)
from plx_core.errors import (
    MAX_PATH,
    MAX_PROBLEMS,
    Place,
    PlxError,
    Problem,
    did_you_mean,
    reason_of,
    shorten,
)
from plx_core.plugins.registry import SINGULAR, Registry

Value: TypeAlias = Any
"""A value of a config: plain data or a component; None where it is wrong."""


@define
class Reader:
    """Reads trees by schemas. `problems` collects the mistakes, and nothing is built."""

    registry: Registry
    signatures: Signatures = field(factory=Signatures)
    needs_files: bool = True
    """Whether the files that the config names must exist."""
    problems: list[Problem] = field(factory=list, init=False)
    used: dict[str, str] = field(factory=dict, init=False)
    """The plug-ins that the components came from, with their versions."""
    places: dict[str, Place] = field(factory=dict, init=False)
    """Where each value was written, by path."""
    files: dict[str, list[str]] = field(factory=dict, init=False)
    """The files and folders that the config names, by the path of the value that names them."""
    sources: set[str] = field(factory=set, init=False)
    """The source files of the components."""

    def read(self, node: Node, schema: Schema, path: str = "") -> Value:
        """Return the value of a node. If it is wrong, return None and add to `problems`."""
        if len(self.problems) >= MAX_PROBLEMS:
            return None
        if isinstance(node, ObjectNode):
            return node.value
        if node.place is not None:
            self.places[path] = node.place
        if "anyOf" in schema:
            return self._any_of(node, schema["anyOf"], path)
        if "x-python" in schema:
            return self._fail(node, path, "can be given in Python only, not in a config")
        if "x-component" in schema:
            return self._component(node, schema["x-component"], path)
        if isinstance(node, ScalarNode):
            return self._scalar(node, schema, path)
        if isinstance(node, ListNode):
            return self._list(node, schema, path)
        return self._map(node, schema, path)

    def component(
        self, kind: str, name: str, params: MapNode, path: str, place: Place | None
    ) -> Component | None:
        """Return a component with parameters that fit the signature of its factory."""
        try:
            entry = self.registry.find(kind, name)
            schema = add_older_names(
                self.signatures.parameters(entry), self.registry.older_parameters(entry)
            )
        except PlxError as error:
            self.problems.append(Problem(path, str(error), place))
            return None
        self.used[entry.plugin.name] = entry.plugin.version
        self.sources.update(self.signatures.sources(entry))
        values = self._map(params, schema | {"x-params": True}, f"{path}.{name}")
        return Component(kind, name, values or {}, place, f"{path}.{name}", self.registry)

    def _any_of(self, node: Node, choices: Sequence[Schema], path: str) -> Value:
        """Return the value by the first choice that fits.

        If none fits, report the mistakes by the choice that was most likely intended.
        """
        likely: list[list[Problem]] = []
        for choice in _by_likelihood(choices):
            attempt = Reader(self.registry, self.signatures, self.needs_files)
            value = attempt.read(node, choice, path)
            if not attempt.problems:
                self.used.update(attempt.used)
                self.places.update(attempt.places)
                self.files.update(attempt.files)
                self.sources.update(attempt.sources)
                return value
            if _fits_shape(node, choice):
                likely.append(attempt.problems)
        if len(likely) == 1 or (likely and not isinstance(node, ScalarNode)):
            self.problems += likely[0]
            return None
        return self._fail_expecting({"anyOf": list(choices)}, node, path)

    def _component(self, node: Node, kind: str, path: str) -> Value:
        schema = {"x-component": kind}
        if isinstance(node, ScalarNode):
            if not node.text:
                return self._fail(node, path, f"expected {describe(schema)}, got nothing")
            return self.component(kind, node.text, MapNode(place=node.place), path, node.place)
        if not isinstance(node, MapNode):
            return self._fail_expecting(schema, node, path)
        if len(node.items) != 1:
            names = f"{len(node.items)} names: {', '.join(node.items)}"
            return self._fail(node, path, f"expected {describe(schema)}, got {names}")
        (name, params), *_ = node.items.items()
        place = node.key_places[name]
        if isinstance(params, ScalarNode) and params.is_null:
            params = MapNode(place=place)
        if not isinstance(params, MapNode):
            message = (
                f"expected the parameters of {name} as a mapping, got {_describe_node(params)}"
            )
            return self._fail(params, f"{path}.{name}", message)
        return self.component(kind, name, params, path, place)

    def _map(self, node: Node, schema: Schema, path: str) -> Value:
        if not isinstance(node, MapNode) or not _takes(schema, "object"):
            return self._fail_expecting(schema, node, path)
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        aliases = {
            child["x-alias"]: name for name, child in properties.items() if "x-alias" in child
        }
        values: dict[str, Value] = {}
        written: dict[str, str] = {}
        for key, child in node.items.items():
            if len(self.problems) >= MAX_PROBLEMS:
                break
            name = aliases.get(key, key)
            key_path = f"{path}.{key}".lstrip(".")
            if name in values:
                message = f"is given twice, as {written[name]} and as {key}"
                self.problems.append(Problem(key_path, message, node.key_places[key]))
                continue
            written[name] = key
            if name in properties:
                values[name] = self.read(child, properties[name], key_path)
            elif rest is False:
                message = _unknown_key(key, schema)
                self.problems.append(Problem(key_path, message, node.key_places[key]))
            else:
                values[key] = self.read(child, rest if isinstance(rest, dict) else {}, key_path)
        for name in schema.get("required", ()):
            if name not in values:
                message = f"{name} is missing; expected {describe(properties[name])}"
                self.problems.append(Problem(path, message, node.place))
        return values

    def _list(self, node: ListNode, schema: Schema, path: str) -> Value:
        if not _takes(schema, "array"):
            return self._fail_expecting(schema, node, path)
        count = len(node.items)
        if not schema.get("minItems", 0) <= count <= schema.get("maxItems", count):
            return self._fail(node, path, f"expected {schema['minItems']} items, got {count}")
        return [
            self.read(item, schema.get("items", {}), f"{path}[{index}]")
            for index, item in enumerate(node.items)
        ]

    def _scalar(self, node: ScalarNode, schema: Schema, path: str) -> Value:
        kind, text = schema.get("type"), node.text
        if "enum" in schema:
            return self._enum(node, schema["enum"], path)
        if kind is None:
            return plain_value(node)
        if kind == "string" and not node.is_null:
            return self._string(node, schema, path)
        if kind == "null" and node.is_null:
            return None
        if node.plain and kind == "boolean" and BOOLEAN.match(text):
            return text.lower() == "true"
        if node.plain and kind in ("integer", "number") and INTEGER.match(text):
            return self._bounded(integer(text), node, schema, path)
        if node.plain and kind == "number" and NUMBER.match(text):
            return self._bounded(number(text), node, schema, path)
        hint = ""
        if kind == "boolean" and text.lower() in ("yes", "no", "on", "off"):
            hint = "; write true or false"
        return self._fail_expecting(schema, node, path, hint)

    def _enum(self, node: ScalarNode, choices: Sequence[Value], path: str) -> Value:
        for choice in choices:
            if choice == node.text:
                return choice
            if not isinstance(choice, str) and choice == plain_value(node):
                return choice
        strings = [choice for choice in choices if isinstance(choice, str)]
        return self._fail_expecting(
            {"enum": list(choices)}, node, path, did_you_mean(node.text, strings)
        )

    def _bounded(self, value: float, node: Node, schema: Schema, path: str) -> float | None:
        is_inside = (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
        if is_inside or math.isnan(value):
            return value
        self._fail(node, path, f"expected {describe(schema)}, got {value}")
        return None

    def _string(self, node: ScalarNode, schema: Schema, path: str) -> str | None:
        if schema.get("x-exists"):
            return self._existing(node, path) if self.needs_files else node.text
        form = FORMATS.get(schema.get("format", ""))
        if form is not None and (fault := form(node.text)):
            self._fail_expecting(schema, node, path, f": {fault}")
            return None
        return node.text

    def _existing(self, node: ScalarNode, path: str) -> str | None:
        pattern = os.path.expanduser(node.text)  # noqa: PTH111 (a pattern is not a path)
        name = shorten(node.text, MAX_PATH)
        try:
            matches = matching_paths(pattern)
        except (OSError, ValueError) as error:
            self._fail(node, path, f"{name} cannot be looked up: {reason_of(error)}")
            return None
        if matches:
            self.files[path] = sorted(matches)
            return pattern
        self._fail(node, path, f"there is no file {name} (looked in {Path.cwd()})")
        return None

    def _fail_expecting(self, schema: Schema, node: Node, path: str, hint: str = "") -> None:
        message = f"expected {describe(schema)}, got {_describe_node(node)}{hint}"
        self._fail(node, path, message)

    def _fail(self, node: Node, path: str, message: str) -> None:
        self.problems.append(Problem(path, message, node.place))


def _takes(schema: Schema, kind: str) -> bool:
    """Return whether a schema may be of a type; one without a type takes anything."""
    return schema.get("type", kind) == kind and "enum" not in schema


def describe(schema: Schema) -> str:
    """Describe the values that fit a schema, for example `a number above 0`."""
    if "anyOf" in schema:
        choices = list(dict.fromkeys(describe(choice) for choice in schema["anyOf"]))
        if len(choices) < 3:
            return " or ".join(choices)
        return f"{', '.join(choices[:-1])} or {choices[-1]}"
    if "enum" in schema:
        return f"one of {', '.join(str(choice) for choice in schema['enum'])}"
    if "x-component" in schema:
        kind = SINGULAR[schema["x-component"]]
        return f"a{'n' if kind[0] in 'aeio' else ''} {kind} (a name, or {{Name: {{…}}}})"
    if schema.get("type") == "array":
        items = describe(schema["items"]) if schema.get("items") else ""
        if not items or "(" in items:
            return "a list"
        article, noun, *rest = items.split(" ")
        if article not in ("a", "an") or "or" in rest:
            return f"a list, each item {items}"
        return " ".join(["a list of", f"{noun}s", *rest])
    words = {
        "boolean": "true or false",
        "integer": "an integer",
        "number": "a number",
        "string": "a string",
        "null": "null",
        "object": "a mapping",
    }
    if schema.get("format") in FORMAT_WORDS:
        return FORMAT_WORDS[schema["format"]]
    text = words.get(schema.get("type", ""), "a value")
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = [f"{word} {_number(schema[key])}" for key, word in bounds.items() if key in schema]
    return f"{text} {' and '.join(limits)}".strip()


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _describe_node(node: Node) -> str:
    if isinstance(node, MapNode):
        return f"a mapping with {', '.join(node.items)}" if node.items else "an empty mapping"
    if isinstance(node, ListNode):
        return f"a list of {len(node.items)}"
    if isinstance(node, ObjectNode):
        return repr(node.value)
    if node.is_null:
        return "nothing"
    text = shorten(node.text, 60)
    return text if node.plain else f'the string "{text}"'


def _unknown_key(key: str, schema: Schema) -> str:
    word = "parameter" if "x-params" in schema else "key"
    names = schema.get("properties", {})
    if not names:
        return f"unknown {word}; there are no {word}s"
    hint = did_you_mean(key, names) or f"; the {word}s are {', '.join(names)}"
    return f"unknown {word}{hint}"


def _fits_shape(node: Node, schema: Schema) -> bool:
    """Return whether a node may have been intended for a schema."""
    if "x-component" in schema:
        is_name = isinstance(node, ScalarNode) and node.text.isidentifier()
        return is_name or (isinstance(node, MapNode) and len(node.items) == 1)
    kind = schema.get("type")
    if isinstance(node, ListNode):
        return bool(kind == "array")
    if not isinstance(node, ScalarNode):
        return bool(kind == "object")
    if kind == "integer":
        return INTEGER.match(node.text) is not None
    if kind == "number":
        return NUMBER.match(node.text) is not None
    return "enum" in schema or kind == "string"


def _by_likelihood(choices: Sequence[Schema]) -> list[Schema]:
    """Return the choices with null first and strings last, so that `5` is a number if it can be."""
    order = {"null": 0, "boolean": 1, "integer": 2, "number": 3, "string": 9}
    return sorted(choices, key=lambda choice: order.get(choice.get("type", ""), 5))


def with_defaults(component: Component, signatures: Signatures) -> dict[str, Any]:
    """Convert a component to plain data, with the defaults of its parameters."""
    schema = signatures.parameters(component.entry)
    defaults = {
        name: child["default"]
        for name, child in schema["properties"].items()
        if child.get("default") is not None and name not in component.params
    }
    params = {**defaults, **component.params}
    return {component.name: {name: plain(value, signatures) for name, value in params.items()}}


def plain(value: object, signatures: Signatures) -> PlainData:
    """Convert components, and mappings and lists of them, to plain data with all defaults."""
    if isinstance(value, Component):
        return with_defaults(value, signatures)
    if isinstance(value, dict):
        return {key: plain(item, signatures) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, signatures) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)
