"""Parse YAML and JSON to a tree with the place of every node, and scalars as strings.

Scalars stay strings until a schema says their type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml
from attrs import define, evolve, field

from plx_core.errors import ConfigError, Place, Problem

MAX_BYTES = 4 * 2**20
MAX_DEPTH = 100
MAX_NODES = 100_000
MAX_DIGITS = 250
"""An integer of this length, even a hexadecimal one, is still a finite float."""
TOO_MANY_DIGITS = f"is an integer of more than {MAX_DIGITS} digits; quote it if it is a string"
CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge")
)

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Mark: TypeAlias = Any
"""A position: PyYAML has one class for its Python loader and one for its C loader."""

NULL = re.compile(r"^(~|null|Null|NULL|)$")
BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
INTEGER = re.compile(r"^[-+]?(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+)$")
NUMBER = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)


@define
class ScalarNode:
    """A string, a number, true, false or null.

    Args:
        text: the scalar as written.
        plain: whether it was written without quotes.
        place: where it was written.
    """

    text: str
    plain: bool
    place: Place | None = None

    @property
    def is_null(self) -> bool:
        """Whether it is null: `null`, `~` or nothing."""
        return self.plain and NULL.match(self.text) is not None


@define
class ListNode:
    """A list."""

    items: list[Node]
    place: Place | None = None


@define
class MapNode:
    """A mapping, with the place of each key."""

    items: dict[str, Node] = field(factory=dict)
    key_places: dict[str, Place | None] = field(factory=dict)
    place: Place | None = None

    def set(self, key: str, value: Node, place: Place | None) -> None:
        """Set the value of a key."""
        self.items[key] = value
        self.key_places[key] = place


@define
class ObjectNode:
    """A Python object in a config that was passed as a Python mapping."""

    value: object
    place: Place | None = None


Node: TypeAlias = ScalarNode | ListNode | MapNode | ObjectNode

PlainData: TypeAlias = Any
"""None, booleans, numbers, strings, and lists and mappings of these."""


def parse(text: str, source: str) -> Node:
    """Parse YAML, of which JSON is a subset.

    Args:
        text: the YAML.
        source: the name of the file in messages.

    Raises:
        ConfigError: the text is not YAML, is too deep, has too many aliases, has tags that are not
            plain data, or has duplicate keys (all of these at once).
    """
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
    problems: list[Problem] = []
    tree = _convert(root, source, "", problems)
    if problems:
        raise ConfigError(problems)
    return tree


def read_file(path: Path) -> Node:
    """Read a YAML or JSON file.

    Raises:
        ConfigError: the file cannot be read or is too long; or as `parse`.
    """
    try:
        with path.open("rb") as file:  # bounded, as a device has no size and no end
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _error(path, f"is too long; at most {MAX_BYTES:,} bytes are read")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise _error(path, f"is not UTF-8 text: byte {error.start} is {byte:#04x}") from None
    return parse(text, str(path))


def from_python(value: object, depth: int = MAX_DEPTH) -> Node:
    """Convert plain Python data to a tree; any other object becomes an `ObjectNode`.

    Args:
        value: the data.
        depth: how deep it may be nested.

    Raises:
        ConfigError: the data is too deep, or has an integer of too many digits.
    """
    if depth < 0:
        raise ConfigError([Problem("", f"is nested more than {MAX_DEPTH} deep")])
    if isinstance(value, Mapping):
        node = MapNode()
        for key, item in value.items():
            node.set(str(key), from_python(item, depth - 1), None)
        return node
    if isinstance(value, (list, tuple)):
        return ListNode([from_python(item, depth - 1) for item in value])
    if isinstance(value, str):
        return ScalarNode(value, plain=False)
    if isinstance(value, bool):
        return ScalarNode(str(value).lower(), plain=True)
    if value is None:
        return ScalarNode("null", plain=True)
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        raise ConfigError([Problem("", TOO_MANY_DIGITS)])
    if isinstance(value, (int, float)):
        text = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
        return ScalarNode(text, plain=True)
    return ObjectNode(value)


def to_python(node: Node) -> PlainData:
    """Convert a tree to plain data, with scalars resolved by `plain_value`.

    The object of an `ObjectNode` is left unchanged.
    """
    if isinstance(node, MapNode):
        return {key: to_python(value) for key, value in node.items.items()}
    if isinstance(node, ListNode):
        return [to_python(item) for item in node.items]
    return plain_value(node) if isinstance(node, ScalarNode) else node.value


def copy(node: Node) -> Node:
    """Return a copy of a tree; the objects of `ObjectNode`s are shared."""
    if isinstance(node, MapNode):
        items = {key: copy(value) for key, value in node.items.items()}
        return MapNode(items, dict(node.key_places), node.place)
    if isinstance(node, ListNode):
        return ListNode([copy(item) for item in node.items], node.place)
    return evolve(node)


def depth_of(node: Node) -> int:
    """Return how deep a node is nested: 0 for a scalar."""
    children: Iterable[Node] = ()
    if isinstance(node, ListNode):
        children = node.items
    elif isinstance(node, MapNode):
        children = node.items.values()
    else:
        return 0
    return 1 + max(map(depth_of, children), default=0)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and every node below it."""
    yield node
    if isinstance(node, ListNode):
        for item in node.items:
            yield from walk(item)
    elif isinstance(node, MapNode):
        for item in node.items.values():
            yield from walk(item)


def plain_value(node: ScalarNode) -> str | bool | int | float | None:
    """Resolve a scalar without a schema, by YAML 1.2's core schema.

    `1e-3` is a number and `no` is a string.
    """
    if not node.plain:
        return node.text
    if node.is_null:
        return None
    if BOOLEAN.match(node.text):
        return node.text.lower() == "true"
    if INTEGER.match(node.text):
        return integer(node.text)
    if NUMBER.match(node.text):
        return number(node.text)
    return node.text


def integer(text: str) -> int:
    """Convert a string that matches `INTEGER`; a leading zero does not mean octal."""
    digits = text.lstrip("+-").lower()
    if digits.startswith("0x"):
        value = int(digits, 16)
    elif digits.startswith("0o"):
        value = int(digits, 8)
    else:
        value = int(digits)
    return -value if text.startswith("-") else value


def number(text: str) -> float:
    """Convert a string that matches `NUMBER`."""
    return float(re.sub(r"\.(inf|nan)$", r"\1", text.lower()))


def _error(path: Path, message: str) -> ConfigError:
    return ConfigError([Problem("", message, Place(str(path)))])


def _check_events(text: str, source: str) -> None:
    """Reject tags, and nesting that is too deep for the recursive functions below."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        tag = getattr(event, "tag", None)
        if depth > MAX_DEPTH:
            message = f"is nested more than {MAX_DEPTH} deep"
        elif tag and tag != "!" and tag not in CORE_TAGS:
            message = f"has the tag {tag}; a config is plain data and has no tags"
        else:
            continue
        raise ConfigError([Problem("", message, _place(event.start_mark, source))])


def _expanded_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    if id(node) in sizes:
        return sizes[id(node)]
    sizes[id(node)] = MAX_NODES + 1  # the size of an alias to its own parent is infinite
    children: Sequence[yaml.Node] = ()
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [item for pair in node.value for item in pair]
    sizes[id(node)] = 1 + sum(_expanded_size(child, sizes) for child in children)
    return sizes[id(node)]


def _convert(node: yaml.Node, source: str, path: str, problems: list[Problem]) -> Node:
    place = _place(node.start_mark, source)
    if isinstance(node, yaml.ScalarNode):
        if not node.style and len(node.value) > MAX_DIGITS and INTEGER.match(node.value):
            problems.append(Problem(path, TOO_MANY_DIGITS, place))
        return ScalarNode(node.value, not node.style, place)
    if isinstance(node, yaml.SequenceNode):
        items = [
            _convert(item, source, f"{path}[{index}]", problems)
            for index, item in enumerate(node.value)
        ]
        return ListNode(items, place)
    result = MapNode(place=place)
    merged: list[Node] = []
    for key_node, value_node in node.value:
        key_place = _place(key_node.start_mark, source)
        if not isinstance(key_node, yaml.ScalarNode):
            message = "a key is a string, not a list or a mapping"
            problems.append(Problem(path, message, key_place))
            continue
        key = key_node.value
        value_path = f"{path}.{key}".lstrip(".")
        value = _convert(value_node, source, value_path, problems)
        if key == "<<" and not key_node.style:
            merged += value.items if isinstance(value, ListNode) else [value]
        elif key in result.items:
            first = result.key_places[key]
            message = f"is given twice; first at line {first.line if first else 0}"
            problems.append(Problem(value_path, message, key_place))
        else:
            result.set(key, value, key_place)
    for other in merged:
        if not isinstance(other, MapNode):
            continue
        for key, value in other.items.items():
            if key not in result.items:
                result.set(key, value, other.key_places[key])
    return result


def _place(mark: _Mark, source: str) -> Place:
    return Place(source, mark.line + 1, mark.column + 1)


def _syntax_problem(error: yaml.YAMLError, source: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    parts = (getattr(error, "context", None), getattr(error, "problem", None))
    text = " ".join(part for part in parts if part) or str(error)
    return Problem("", f"is not YAML: {text}", _place(mark, source) if mark else Place(source))
