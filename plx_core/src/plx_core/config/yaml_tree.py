"""YAML and JSON as a tree that knows where each part was written, and keeps scalars as text until their type is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from attrs import define, evolve, field

from plx_core.errors import ConfigError, Place, Problem

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 100
MAX_NODES = 100_000
CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")
)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@define
class ScalarNode:
    """A text, a number, true, false or null, as written; `plain` when it stood without quotes."""

    text: str
    plain: bool
    place: Place | None = None


@define
class ListNode:
    """A sequence."""

    items: list[Node]
    place: Place | None = None


@define
class MapNode:
    """A mapping; each key comes with the place where it was written."""

    items: dict[str, Node] = field(factory=dict)
    key_places: dict[str, Place | None] = field(factory=dict)
    place: Place | None = None

    def set(self, key: str, value: Node, place: Place | None) -> None:
        """Put a value under a key."""
        self.items[key] = value
        self.key_places[key] = place


@define
class ObjectNode:
    """A Python object, from a config that was written in Python."""

    value: Any
    place: Place | None = None


Node: TypeAlias = ScalarNode | ListNode | MapNode | ObjectNode


def parse(text: str, source: str) -> Node:
    """The tree of a YAML or JSON text; JSON is read as the YAML that it is.

    Raises:
        ConfigError: the text is not YAML, is too large, too deep or repeats itself too often, has a tag that is not plain data,
            or has a key twice (all of these at once).
    """
    problems: list[Problem] = []
    try:
        _check_events(text, source)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(error, source)]) from None
    if root is None:
        return MapNode(place=Place(source, 1, 1))
    if (size := _expanded_size(root, {})) > MAX_NODES:
        message = f"its aliases expand to {size:,} values; at most {MAX_NODES:,} are read"
        raise ConfigError([Problem("", message, Place(source))])
    tree = _convert(root, source, "", problems)
    if problems:
        raise ConfigError(problems)
    return tree


def read_file(path: Path) -> Node:
    """The tree of a YAML or JSON file.

    Raises:
        ConfigError: the file cannot be read, or as `parse`.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(
                [
                    Problem(
                        "",
                        f"is {size:,} bytes long; at most {MAX_BYTES:,} are read",
                        Place(str(path)),
                    )
                ]
            )
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(
            [Problem("", f"cannot be read: {error.strerror}", Place(str(path)))]
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            [
                Problem(
                    "",
                    f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}",
                    Place(str(path)),
                )
            ]
        ) from None
    return parse(text, str(path))


def from_python(value: Any) -> Node:
    """The tree of plain Python data; any other object is kept as it is."""
    if isinstance(value, Mapping):
        node = MapNode()
        for key, item in value.items():
            node.set(str(key), from_python(item), None)
        return node
    if isinstance(value, (list, tuple)):
        return ListNode([from_python(item) for item in value])
    if isinstance(value, str):
        return ScalarNode(value, plain=False)
    if isinstance(value, bool):
        return ScalarNode(str(value).lower(), plain=True)
    if value is None:
        return ScalarNode("null", plain=True)
    if isinstance(value, (int, float)):
        return ScalarNode(
            {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value)),
            plain=True,
        )
    return ObjectNode(value)


def scalars(node: Node) -> Iterator[ScalarNode]:
    """Every scalar in a tree."""
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from scalars(item)
    elif isinstance(node, MapNode):
        for item in node.items.values():
            yield from scalars(item)


NULL = re.compile(r"^(~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^[-+]?(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$")
NUMBER = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)


def plain_value(node: ScalarNode) -> Any:
    """What a scalar stands for where no type is known: YAML 1.2's core schema, so `1e-3` is a number and `no` a text."""
    if not node.plain:
        return node.text
    if NULL.match(node.text):
        return None
    if BOOLEAN.match(node.text):
        return node.text.lower() == "true"
    if INTEGER.match(node.text):
        return integer(node.text)
    if NUMBER.match(node.text):
        return number(node.text)
    return node.text


def integer(text: str) -> int:
    """The integer that a text matching `INTEGER` writes; a leading zero does not mean octal."""
    digits = text.lstrip("+-").lower()
    value = (
        int(digits, 16)
        if digits.startswith("0x")
        else int(digits, 8)
        if digits.startswith("0o")
        else int(digits)
    )
    return -value if text.startswith("-") else value


def number(text: str) -> float:
    """The number that a text matching `NUMBER` writes."""
    return float(
        text.replace(".inf", "inf")
        .replace(".Inf", "inf")
        .replace(".INF", "inf")
        .replace(".nan", "nan")
        .replace(".NaN", "nan")
        .replace(".NAN", "nan")
    )


def _check_events(text: str, source: str) -> None:
    """Refuse what is too deep before anything recursive reads it, and tags that ask for more than plain data."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(
                    [
                        Problem(
                            "",
                            f"is nested more than {MAX_DEPTH} deep",
                            _place(event.start_mark, source),
                        )
                    ]
                )
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        tag = getattr(event, "tag", None)
        if tag and tag != "!" and tag not in CORE_TAGS:
            raise ConfigError(
                [
                    Problem(
                        "",
                        f"has the tag {tag}; a config is plain data and has no tags",
                        _place(event.start_mark, source),
                    )
                ]
            )


def _expanded_size(node: Any, sizes: dict[int, int]) -> int:
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = MAX_NODES + 1  # an alias to its own parent never ends
    children: Sequence[Any] = ()
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [item for pair in node.value for item in pair]
    sizes[id(node)] = 1 + sum(_expanded_size(child, sizes) for child in children)
    return sizes[id(node)]


def _convert(node: Any, source: str, path: str, problems: list[Problem]) -> Node:
    place = _place(node.start_mark, source)
    if isinstance(node, yaml.ScalarNode):
        return ScalarNode(node.value, not node.style, place)
    if isinstance(node, yaml.SequenceNode):
        return ListNode(
            [
                _convert(item, source, f"{path}[{index}]", problems)
                for index, item in enumerate(node.value)
            ],
            place,
        )
    converted = MapNode(place=place)
    merged: list[MapNode] = []
    for key_node, value_node in node.value:
        key_place = _place(key_node.start_mark, source)
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(path, "a key is a text, not a list or a mapping", key_place))
            continue
        key = key_node.value
        value = _convert(value_node, source, f"{path}.{key}".lstrip("."), problems)
        if key == "<<" and not key_node.style:
            merged += [
                item
                for item in (value.items if isinstance(value, ListNode) else [value])
                if isinstance(item, MapNode)
            ]
        elif key in converted.items:
            first = converted.key_places[key]
            problems.append(
                Problem(
                    f"{path}.{key}".lstrip("."),
                    f"is given twice; first at line {first.line if first else 0}",
                    key_place,
                )
            )
        else:
            converted.set(key, value, key_place)
    for other in merged:
        for key, value in other.items.items():
            if key not in converted.items:
                converted.set(key, value, other.key_places[key])
    return converted


def _place(mark: Any, source: str) -> Place:
    return Place(source, mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    text = " ".join(
        part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
    ) or str(error)
    return Problem("", f"is not YAML: {text}", _place(mark, source) if mark else Place(source))


def to_python(node: Node) -> Any:
    """A tree as plain data, scalars read by the core schema."""
    if isinstance(node, MapNode):
        return {key: to_python(value) for key, value in node.items.items()}
    if isinstance(node, ListNode):
        return [to_python(item) for item in node.items]
    return plain_value(node) if isinstance(node, ScalarNode) else node.value


def with_text(node: ScalarNode, text: str) -> ScalarNode:
    """The same scalar with another text."""
    return evolve(node, text=text)
