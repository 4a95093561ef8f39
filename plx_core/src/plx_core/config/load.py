"""A config file to one tree: what it extends, the environment's variables, and what the command line sets."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from plx_core.components.json_schema import Schema, class_schema
from plx_core.config.polyaxon_2017 import (
    is_2017,
    translate,
    with_dropout_layers,
    with_weighted_losses,
)
from plx_core.config.sections import ExperimentConfig
from plx_core.config.yaml_tree import (
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    from_python,
    parse,
    read_file,
    scalars,
)
from plx_core.errors import ConfigError, Place, Problem

VARIABLE = re.compile(r"\$\{([^}]*)\}")
MAX_EXTENDS = 10


@frozen
class Permissions:
    """What the person running lets a config do: the `[tool.plx]` table of their pyproject.toml, and the command line.

    Args:
        env: patterns of environment variables that `${env:NAME}` may read; `PLX_*` always may.
        plugins: modules and files from outside the installed plug-ins that are loaded.
    """

    env: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


def load_tree(
    config: str | Path | Mapping[str, Any],
    sets: Sequence[str] = (),
    allowed: Permissions | None = None,
    environ: Mapping[str, str] = os.environ,
) -> MapNode:
    """One tree for a config file or mapping.

    Args:
        config: a YAML or JSON file, or the same as a mapping.
        sets: `a.b=value` texts, applied last; a value is read as YAML.
        allowed: what the config may read.
        environ: the environment's variables.

    Raises:
        ConfigError: a file cannot be read, or a variable or a setting is wrong; all that are wrong at once.
    """
    root = from_python(config) if isinstance(config, Mapping) else _with_bases(Path(config), ())
    if not isinstance(root, MapNode):
        raise ConfigError(
            [Problem("", "a config is a mapping with `version`, `model`, `train`, …", root.place)]
        )
    if is_2017(root):
        root = translate(root)
    root = with_weighted_losses(with_dropout_layers(root))
    problems: list[Problem] = []
    for text in sets:
        _apply_set(root, text, problems)
    for scalar in scalars(root):
        _fill_variables(scalar, (allowed or Permissions()).env, environ, problems)
    if problems:
        raise ConfigError(problems)
    return root


def _with_bases(path: Path, chain: tuple[Path, ...]) -> Node:
    if path.resolve() in chain or len(chain) >= MAX_EXTENDS:
        raise ConfigError(
            [
                Problem(
                    "extends",
                    f"goes round in a circle: {' → '.join(str(item) for item in (*chain, path.resolve()))}",
                    Place(str(chain[-1])),
                )
            ]
        )
    root = read_file(path)
    if not isinstance(root, MapNode) or "extends" not in root.items:
        return root
    node = root.items.pop("extends")
    names = node.items if isinstance(node, ListNode) else [node]
    merged: Node = MapNode(place=root.place)
    for name in names:
        if not isinstance(name, ScalarNode):
            raise ConfigError(
                [Problem("extends", "expected a file name or a list of file names", name.place)]
            )
        base = path.parent / name.text
        if not base.is_file():
            raise ConfigError([Problem("extends", f"there is no file {base}", name.place)])
        merged = merge(
            merged, _with_bases(base, (*chain, path.resolve())), class_schema(ExperimentConfig)
        )
    return merge(merged, root, class_schema(ExperimentConfig))


def merge(base: Node, over: Node, schema: Schema) -> Node:
    """`over` laid on `base`: mappings are merged key by key, all else is replaced, and so is a component by one of another name."""
    if not (isinstance(base, MapNode) and isinstance(over, MapNode)):
        return over
    is_component = "x-component" in schema or any(
        "x-component" in choice for choice in schema.get("anyOf", ())
    )
    unknown = not schema.get("properties") and not schema.get("x-params")
    if (
        (is_component or unknown)
        and len(base.items) == len(over.items) == 1
        and set(base.items) != set(over.items)
    ):
        return over
    merged = MapNode(dict(base.items), dict(base.key_places), over.place)
    for key, value in over.items.items():
        child = {"x-params": True} if is_component else schema.get("properties", {}).get(key, {})
        merged.set(
            key,
            merge(base.items[key], value, child) if key in base.items else value,
            over.key_places[key],
        )
    return merged


def _apply_set(root: MapNode, text: str, problems: list[Problem]) -> None:
    place = Place(f"--set {text}")
    path, separator, value = text.partition("=")
    keys = [key for key in path.strip().split(".") if key]
    if not separator or not keys:
        problems.append(Problem("", "expected a.b=value", place))
        return
    try:
        node = (
            parse(value, place.source) if value.strip() else ScalarNode("", plain=True, place=place)
        )
    except ConfigError as error:
        problems.extend(error.problems)
        return
    _move(node, place)
    current: Node = root
    for key, following in itertools.pairwise(keys):
        current = _step_into(current, key, following, place, problems, path)
        if isinstance(current, ScalarNode):
            return
    _put(current, keys[-1], node, place, problems, path)


def _step_into(
    current: Node, key: str, following: str, place: Place, problems: list[Problem], path: str
) -> Node:
    if isinstance(current, ListNode):
        if key.isdigit() and int(key) < len(current.items):
            return current.items[int(key)]
        problems.append(
            Problem(path, f"{key} is not an index into a list of {len(current.items)}", place)
        )
        return ScalarNode("", plain=True)
    if not isinstance(current, MapNode):
        problems.append(Problem(path, f"nothing can be set below {key}", place))
        return ScalarNode("", plain=True)
    child = current.items.get(key)
    if isinstance(child, (MapNode, ListNode)):
        return child
    # `loss: Huber` and `loss:` both become mappings, so that `--set loss.Huber.delta=2` says what it means.
    fresh = MapNode(place=place)
    if isinstance(child, ScalarNode) and child.text == following:
        fresh.set(following, MapNode(place=child.place), child.place)
    current.set(key, fresh, current.key_places.get(key, place))
    return fresh


def _put(
    current: Node, key: str, value: Node, place: Place, problems: list[Problem], path: str
) -> None:
    if isinstance(current, MapNode):
        current.set(key, value, place)
    elif isinstance(current, ListNode) and key.isdigit() and int(key) < len(current.items):
        current.items[int(key)] = value
    else:
        problems.append(Problem(path, f"{key} is neither a key nor an index there", place))


def _move(node: Node, place: Place) -> None:
    node.place = place
    children = (
        node.items
        if isinstance(node, ListNode)
        else list(node.items.values())
        if isinstance(node, MapNode)
        else []
    )
    for child in children:
        _move(child, place)
    if isinstance(node, MapNode):
        node.key_places = dict.fromkeys(node.items, place)


def _fill_variables(
    scalar: ScalarNode, patterns: Sequence[str], environ: Mapping[str, str], problems: list[Problem]
) -> None:
    def value(match: re.Match[str]) -> str:
        source, _, name = match.group(1).partition(":")
        if source != "env" or not name:
            message = f"{match.group(0)} is not a variable; ${{env:NAME}} is the only form"
        elif not any(fnmatch.fnmatchcase(name, pattern) for pattern in ("PLX_*", *patterns)):
            message = f'the environment variable {name} may not be read; allow it with `env = ["{name}"]` under [tool.plx] in pyproject.toml'
        elif name not in environ:
            message = f"the environment variable {name} is not set"
        else:
            return environ[name]
        problems.append(Problem("", message, scalar.place))
        return match.group(0)

    if "${" in scalar.text:
        scalar.text = VARIABLE.sub(value, scalar.text)
