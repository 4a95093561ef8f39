"""Read a tree by a schema: typed values, components found by name, and every mistake at its place."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from plx_core.components.component import Component
from plx_core.components.json_schema import Schema, allows_null
from plx_core.components.schema_cache import Signatures, with_older_names
from plx_core.config.yaml_tree import (
    BOOLEAN,
    INTEGER,
    NULL,
    NUMBER,
    ListNode,
    MapNode,
    Node,
    ObjectNode,
    ScalarNode,
    integer,
    number,
    plain_value,
)
from plx_core.errors import Place, PlxError, Problem, did_you_mean
from plx_core.plugins.registry import SINGULAR, Registry


@define
class Reader:
    """Reads trees against schemas; `problems` gathers what is wrong, and nothing is built."""

    registry: Registry
    signatures: Signatures = field(factory=Signatures)
    problems: list[Problem] = field(factory=list, init=False)
    used: dict[str, str] = field(factory=dict, init=False)
    """The plug-ins that components came from, with their versions."""
    places: dict[str, Place] = field(factory=dict, init=False)
    """Where each value was written, by path."""
    files: set[str] = field(factory=set, init=False)
    """The files and folders that the config names."""
    sources: set[str] = field(factory=set, init=False)
    """The files that define the components."""

    def read(self, node: Node, schema: Schema, path: str = "") -> Any:
        """The value of a node; None where it is wrong, and then `problems` says so."""
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
        """A component whose parameters fit its factory's signature."""
        try:
            entry = self.registry.find(kind, name)
            schema = with_older_names(
                self.signatures.parameters(entry), self.registry.older_parameters(entry)
            )
        except PlxError as error:
            self.problems.append(Problem(path, str(error), place))
            return None
        self.used[entry.plugin.name] = entry.plugin.version
        self.sources.update(self.signatures.sources(entry))
        values = self._map(params, schema | {"x-params": True}, f"{path}.{name}")
        return Component(kind, name, values or {}, place, f"{path}.{name}", self.registry)

    def _any_of(self, node: Node, choices: Sequence[Schema], path: str) -> Any:
        """The first choice that fits; when none does, the mistakes of the one the value was most likely meant for."""
        attempts = []
        for choice in _by_likelihood(node, choices):
            trial = Reader(self.registry, self.signatures)
            value = trial.read(node, choice, path)
            if not trial.problems:
                for name in ("used", "places", "files", "sources"):
                    getattr(self, name).update(getattr(trial, name))
                return value
            attempts.append((choice, trial.problems))
        meant = [problems for choice, problems in attempts if _fits_shape(node, choice)]
        if len(meant) == 1 or (meant and not isinstance(node, ScalarNode)):
            self.problems += meant[0]
            return None
        return self._fail(
            node, path, f"expected {describe({'anyOf': list(choices)})}, got {_received(node)}"
        )

    def _component(self, node: Node, kind: str, path: str) -> Any:
        if isinstance(node, ScalarNode):
            if not node.text:
                return self._fail(
                    node, path, f"expected {describe({'x-component': kind})}, got nothing"
                )
            return self.component(kind, node.text, MapNode(place=node.place), path, node.place)
        if not isinstance(node, MapNode) or len(node.items) != 1:
            got = (
                f"{len(node.items)} names: {', '.join(node.items)}"
                if isinstance(node, MapNode)
                else _received(node)
            )
            return self._fail(node, path, f"expected {describe({'x-component': kind})}, got {got}")
        (name, params), *_ = node.items.items()
        place = node.key_places[name]
        if isinstance(params, ScalarNode) and params.plain and NULL.match(params.text):
            params = MapNode(place=place)
        if not isinstance(params, MapNode):
            return self._fail(
                params,
                f"{path}.{name}",
                f"expected the parameters of {name} as a mapping, got {_received(params)}",
            )
        return self.component(kind, name, params, path, place)

    def _map(self, node: Node, schema: Schema, path: str) -> Any:
        if not isinstance(node, MapNode) or schema.get("type", "object") != "object":
            return self._fail(node, path, f"expected {describe(schema)}, got {_received(node)}")
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        aliases = {
            child["x-alias"]: name for name, child in properties.items() if "x-alias" in child
        }
        values: dict[str, Any] = {}
        written: dict[str, str] = {}
        for key, child in node.items.items():
            name, where = aliases.get(key, key), f"{path}.{key}".lstrip(".")
            if name in values:
                self.problems.append(
                    Problem(
                        where,
                        f"is given twice, as {written[name]} and as {key}",
                        node.key_places[key],
                    )
                )
                continue
            written[name] = key
            if name in properties:
                values[name] = self.read(child, properties[name], where)
            elif rest is False:
                what = "parameter" if "x-params" in schema else "key"
                hint = did_you_mean(key, properties) or (
                    f"; the {what}s are {', '.join(properties)}"
                    if properties
                    else f"; there are no {what}s"
                )
                self.problems.append(Problem(where, f"unknown {what}{hint}", node.key_places[key]))
            else:
                values[key] = self.read(child, rest if isinstance(rest, dict) else {}, where)
        for name in schema.get("required", ()):
            if name not in values:
                self.problems.append(
                    Problem(
                        path,
                        f"{name} is missing; expected {describe(properties[name])}",
                        node.place,
                    )
                )
        return values

    def _list(self, node: ListNode, schema: Schema, path: str) -> Any:
        if schema.get("type", "array") != "array" or "enum" in schema:
            return self._fail(node, path, f"expected {describe(schema)}, got {_received(node)}")
        if len(node.items) < schema.get("minItems", 0) or len(node.items) > schema.get(
            "maxItems", len(node.items)
        ):
            return self._fail(
                node, path, f"expected {schema['minItems']} items, got {len(node.items)}"
            )
        return [
            self.read(item, schema.get("items", {}), f"{path}[{index}]")
            for index, item in enumerate(node.items)
        ]

    def _scalar(self, node: ScalarNode, schema: Schema, path: str) -> Any:
        kind, text = schema.get("type"), node.text
        if "enum" in schema:
            value = next(
                (
                    choice
                    for choice in schema["enum"]
                    if choice == text
                    or (not isinstance(choice, str) and choice == plain_value(node))
                ),
                _ABSENT,
            )
            choices = ", ".join(str(choice) for choice in schema["enum"])
            hint = did_you_mean(
                text, [choice for choice in schema["enum"] if isinstance(choice, str)]
            )
            return (
                self._fail(node, path, f"expected one of {choices}, got {_received(node)}{hint}")
                if value is _ABSENT
                else value
            )
        if kind is None:
            return plain_value(node)
        if kind == "string" and not (node.plain and NULL.match(text)):
            return self._existing(node, path) if schema.get("x-exists") else text
        if node.plain and kind == "null" and NULL.match(text):
            return None
        if node.plain and kind == "boolean" and BOOLEAN.match(text):
            return text.lower() == "true"
        if node.plain and kind == "integer" and INTEGER.match(text):
            return self._bounded(integer(text), node, schema, path)
        if node.plain and kind == "number" and (NUMBER.match(text) or INTEGER.match(text)):
            return self._bounded(
                integer(text) if INTEGER.match(text) else number(text), node, schema, path
            )
        hint = (
            "; write true or false"
            if kind == "boolean" and text.lower() in ("yes", "no", "on", "off")
            else ""
        )
        return self._fail(node, path, f"expected {describe(schema)}, got {_received(node)}{hint}")

    def _bounded(self, value: float, node: Node, schema: Schema, path: str) -> float | None:
        fits = (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
        return (
            value
            if fits or value != value
            else self._fail(node, path, f"expected {describe(schema)}, got {value}")
        )

    def _existing(self, node: ScalarNode, path: str) -> Any:
        text = os.path.expanduser(node.text)  # noqa: PTH111 (a pattern is not a path)
        if matches := glob.glob(text) or ([text] if Path(text).exists() else []):  # noqa: PTH207 (a pattern is not a path)
            self.files.update(matches)
            return text
        return self._fail(node, path, f"there is no file {node.text} (looked in {Path.cwd()})")

    def _fail(self, node: Node, path: str, message: str) -> Any:
        self.problems.append(Problem(path, message, node.place))
        return None


_ABSENT = object()


def describe(schema: Schema) -> str:
    """What a schema admits, in words."""
    if "anyOf" in schema:
        choices = list(dict.fromkeys(describe(choice) for choice in schema["anyOf"]))
        return (
            " or ".join(choices)
            if len(choices) < 3
            else f"{', '.join(choices[:-1])} or {choices[-1]}"
        )
    if "enum" in schema:
        return f"one of {', '.join(str(choice) for choice in schema['enum'])}"
    if "x-component" in schema:
        kind = SINGULAR[schema["x-component"]]
        return f"a{'n' if kind[0] in 'aeio' else ''} {kind} (a name, or {{Name: {{…}}}})"
    if schema.get("type") == "array":
        items = describe(schema["items"]) if schema.get("items") else ""
        return (
            f"a list of {items.removeprefix('an ').removeprefix('a ')}s"
            if items and "(" not in items
            else "a list"
        )
    words = {
        "boolean": "true or false",
        "integer": "an integer",
        "number": "a number",
        "string": "a text",
        "null": "null",
        "object": "a mapping",
    }
    text = words.get(schema.get("type", ""), "a value")
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    limits = " and ".join(
        f"{word} {schema[key]:g}" for key, word in bounds.items() if key in schema
    )
    return f"{text} {limits}".strip()


def _received(node: Node) -> str:
    if isinstance(node, MapNode):
        return f"a mapping with {', '.join(node.items)}" if node.items else "an empty mapping"
    if isinstance(node, ListNode):
        return f"a list of {len(node.items)}"
    if isinstance(node, ObjectNode):
        return repr(node.value)
    if node.plain and NULL.match(node.text):
        return "nothing"
    text = node.text if len(node.text) <= 60 else f"{node.text[:57]}…"
    return text if node.plain else f'the text "{text}"'


def _fits_shape(node: Node, schema: Schema) -> bool:
    if "x-component" in schema:
        return (isinstance(node, ScalarNode) and node.text.isidentifier()) or (
            isinstance(node, MapNode) and len(node.items) == 1
        )
    if isinstance(node, ScalarNode):
        kinds = {
            "string": True,
            "integer": bool(INTEGER.match(node.text)),
            "number": bool(NUMBER.match(node.text)),
        }
        return "enum" in schema or kinds.get(schema.get("type", ""), False)
    return schema.get("type") == ("array" if isinstance(node, ListNode) else "object")


def _by_likelihood(node: Node, choices: Sequence[Schema]) -> list[Schema]:
    """Null first and texts last, so that `5` is a number where both are admitted."""
    order = {"null": 0, "boolean": 1, "integer": 2, "number": 3, "string": 9}
    return sorted(choices, key=lambda choice: order.get(choice.get("type", ""), 5))


def with_defaults(component: Component, signatures: Signatures) -> dict[str, Any]:
    """A component as plain data, with the value of each parameter that has a default."""
    schema = signatures.parameters(component.entry)
    defaults = {
        name: child["default"]
        for name, child in schema["properties"].items()
        if child.get("default") is not None
    }
    params = {
        **{name: value for name, value in defaults.items() if name not in component.params},
        **component.params,
    }
    return {component.name: {name: plain(value, signatures) for name, value in params.items()}}


def plain(value: Any, signatures: Signatures) -> Any:
    """Components, and what holds them, as plain data with every default."""
    if isinstance(value, Component):
        return with_defaults(value, signatures)
    if isinstance(value, dict):
        return {key: plain(item, signatures) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, signatures) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else repr(value)


__all__ = ["Reader", "allows_null", "describe", "plain", "with_defaults"]
