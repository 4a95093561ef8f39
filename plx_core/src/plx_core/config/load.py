"""Load a config file with `extends`, `--set` options and environment variables applied."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from plx_core.components.config_objects import WEIGHTS
from plx_core.components.json_schema import Schema, class_schema
from plx_core.config.sections import ExperimentConfig
from plx_core.config.yaml_tree import (
    MAX_DEPTH,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    depth_of,
    from_python,
    parse,
    read_file,
    walk,
)
from plx_core.errors import MAX_PATH, ConfigError, Place, Problem, shorten

VARIABLE = re.compile(r"\$\{([^}]*)\}")
MAX_EXTENDS = 10
SECTIONS_OF_2017 = frozenset(
    {"model_config", "train_input_data_config", "eval_input_data_config", "estimator_config"}
)
"""The sections that only polyaxon-lib's dialect of 2017 has."""
MATRIX = (
    "plx does not expand a matrix of values; remove it, and write the values to try in a section "
    "tune, for plx tune (plug-in plx-scale)"
)


@frozen
class Permissions:
    """The permissions of a config: from `[tool.plx]` in pyproject.toml, and the command line.

    Args:
        env: patterns of environment variables that `${env:NAME}` may read, besides `PLX_*`.
        plugins: modules and files that may be loaded besides the installed plug-ins.
    """

    env: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()


def load_tree(
    config: str | Path | Mapping[str, Any],
    sets: Sequence[str] = (),
    allowed: Permissions | None = None,
    environ: Mapping[str, str] = os.environ,
) -> MapNode:
    """Load a config file or mapping.

    Args:
        config: a YAML or JSON file, or a mapping with the same content.
        sets: `a.b=value` strings, applied last; the value is YAML.
        allowed: what the config may read.
        environ: the environment variables.

    Raises:
        ConfigError: a file cannot be read, or variables or settings are wrong (all at once).
    """
    root = from_python(config) if isinstance(config, Mapping) else _with_bases(Path(config), ())
    if not isinstance(root, MapNode):
        message = "a config is a mapping with `version`, `model`, `train`, …"
        raise ConfigError([Problem("", message, root.place)])
    root = _translate_2017(root)
    problems: list[Problem] = []
    for text in sets:
        try:
            _apply_set(root, text)
        except ConfigError as error:
            problems.extend(error.problems)
    patterns = (allowed or Permissions()).env
    for node in walk(root):
        if isinstance(node, ScalarNode):
            _fill_variables(node, patterns, environ, problems)
    if problems:
        raise ConfigError(problems)
    return root


def is_2017(tree: MapNode) -> bool:
    """Return whether a tree is in polyaxon-lib's dialect of 2017."""
    return not SECTIONS_OF_2017.isdisjoint(tree.items)


def _translate_2017(root: MapNode) -> MapNode:
    _refuse_matrix(root)
    if is_2017(root):
        from plx_core.config.polyaxon_2017 import translate

        root = translate(root)
    if any(_is_dense_with_dropout(node) for node in walk(root)):
        from plx_core.config.polyaxon_2017 import split_dropout

        root = split_dropout(root)
    if any(_has_weights(node) for node in walk(root)):
        from plx_core.config.polyaxon_2017 import with_weighted_losses

        root = with_weighted_losses(root)
    if any(_is_indexed_name(node) for node in walk(root)):
        from plx_core.config.polyaxon_2017 import with_plain_names

        root = with_plain_names(root)
    return root


def _refuse_matrix(root: MapNode) -> None:
    """Raise a `ConfigError` for a `matrix`, at the top or in `settings`, as polyaxon files have."""
    settings = root.items.get("settings")
    problems = [
        Problem(f"{prefix}matrix", MATRIX, tree.key_places["matrix"])
        for prefix, tree in (("", root), ("settings.", settings))
        if isinstance(tree, MapNode) and "matrix" in tree.items
    ]
    if problems:
        raise ConfigError(problems)


def _is_indexed_name(node: Node) -> bool:
    """Return whether a node may be `[name, 0, 0]`, a layer by Keras's indices."""
    return (
        isinstance(node, ListNode)
        and len(node.items) == 3
        and all(isinstance(item, ScalarNode) and item.text == "0" for item in node.items[1:])
    )


def _is_dense_with_dropout(node: Node) -> bool:
    """Return whether a node is a `Dense` layer with a `dropout`, which only 2017's files have."""
    params = node.items.get("Dense") if isinstance(node, MapNode) else None
    return isinstance(params, MapNode) and "dropout" in params.items


def _has_weights(node: Node) -> bool:
    """Return whether a node may be the parameters of a loss of 2017 with weights."""
    return isinstance(node, MapNode) and not WEIGHTS.isdisjoint(node.items)


def _with_bases(path: Path, chain: tuple[Path, ...]) -> Node:
    """Read a file and merge it over the files that it extends.

    Args:
        path: the file.
        chain: the files that extend this one.
    """
    if path.resolve() in chain or len(chain) >= MAX_EXTENDS:
        files = " → ".join(str(item) for item in (*chain, path.resolve()))
        raise ConfigError([Problem("extends", f"is circular: {files}", Place(str(chain[-1])))])
    root = read_file(path)
    if not isinstance(root, MapNode) or "extends" not in root.items:
        return root
    node = root.items.pop("extends")
    schema = class_schema(ExperimentConfig)
    result: Node = MapNode(place=root.place)
    for name in node.items if isinstance(node, ListNode) else [node]:
        if not isinstance(name, ScalarNode):
            message = "expected a file name or a list of file names"
            raise ConfigError([Problem("extends", message, name.place)])
        base = path.parent / name.text
        try:
            is_file = base.is_file()
        except (OSError, ValueError):  # a name that no file can have
            is_file = False
        if not is_file:
            raise ConfigError(
                [Problem("extends", f"there is no file {shorten(str(base), MAX_PATH)}", name.place)]
            )
        result = merge(result, _with_bases(base, (*chain, path.resolve())), schema)
    return merge(result, root, schema)


def merge(base: Node, over: Node, schema: Schema) -> Node:
    """Return `base` updated with `over`.

    Mappings are merged key by key; lists, scalars and components of another name are replaced.
    """
    if not (isinstance(base, MapNode) and isinstance(over, MapNode)):
        return over
    choices = (schema, *schema.get("anyOf", ()))
    is_component = any("x-component" in choice for choice in choices)
    is_unknown = not schema.get("properties") and not schema.get("x-params")
    if is_component or is_unknown:
        has_other_name = set(base.items) != set(over.items)
        if len(base.items) == len(over.items) == 1 and has_other_name:
            return over
    result = MapNode(dict(base.items), dict(base.key_places), over.place)
    for key, value in over.items.items():
        if key in base.items:
            properties = schema.get("properties", {})
            child = {"x-params": True} if is_component else properties.get(key, {})
            value = merge(base.items[key], value, child)
        result.set(key, value, over.key_places[key])
    return result


def _apply_set(root: MapNode, text: str) -> None:
    """Apply one `a.b=value` string.

    Raises:
        ConfigError: the string is malformed, or has an index that is not in the list.
    """
    place = Place(f"--set {text}")
    path, separator, value = text.partition("=")
    if not separator or not _keys(path):
        raise ConfigError([Problem("", "expected a.b=value", place)])
    node = parse(value, place.source) if value.strip() else ScalarNode("", plain=True)
    _set(root, path.strip(), node, place)


def override(root: MapNode, values: Mapping[str, Any], place: Place | None = None) -> None:
    """Set the values of a tree.

    Args:
        root: the tree.
        values: plain data by path, as for `--set`.
        place: the place of the values, for messages; each path's own `--set` if None.

    Raises:
        ConfigError: paths have an index that is not in the list; has every mistake.
    """
    problems: list[Problem] = []
    for path, value in values.items():
        try:
            _set(root, path, from_python(value), place or Place(f"--set {path}={value}"))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)


def _keys(path: str) -> list[str]:
    """Return the keys and indices of a path such as `layers[0].Dense.units` or `layers.0.Dense`."""
    return [key for key in re.sub(r"\[(\d+)\]", r".\1", path.strip()).split(".") if key]


def _set(root: MapNode, path: str, node: Node, place: Place) -> None:
    keys = _keys(path)
    if len(keys) + depth_of(node) > MAX_DEPTH:
        raise ConfigError([Problem("", f"is nested more than {MAX_DEPTH} deep", place)])
    _set_place(node, place)
    parent: MapNode | ListNode = root
    for key, following in itertools.pairwise(keys):
        parent = _step_into(parent, key, following, path, place)
    if isinstance(parent, MapNode):
        parent.set(keys[-1], node, place)
    else:
        parent.items[_index(parent, keys[-1], path, place)] = node


def _step_into(
    parent: MapNode | ListNode, key: str, following: str, path: str, place: Place
) -> MapNode | ListNode:
    """Return the mapping or list below a key; where there is none, put a mapping there.

    Args:
        parent: where the key is.
        key: a key or an index.
        following: the key after this one.
        path: the whole path.
        place: the place of the path.
    """
    if isinstance(parent, MapNode):
        child = parent.items.get(key)
    else:
        child = parent.items[_index(parent, key, path, place)]
    if isinstance(child, (MapNode, ListNode)):
        return child
    # `loss: Huber` and `loss:` both become mappings, so that `loss.Huber.delta=2` can be set.
    mapping = MapNode(place=place)
    if isinstance(child, ScalarNode) and child.text == following:
        mapping.set(following, MapNode(place=child.place), child.place)
    if isinstance(parent, MapNode):
        parent.set(key, mapping, parent.key_places.get(key, place))
    else:
        parent.items[_index(parent, key, path, place)] = mapping
    return mapping


def _index(node: ListNode, key: str, path: str, place: Place) -> int:
    indices = {str(index): index for index in range(len(node.items))}
    if key in indices:
        return indices[key]
    message = f"{key} is not an index into a list of {len(node.items)}"
    raise ConfigError([Problem(path, message, place)])


def _set_place(root: Node, place: Place) -> None:
    for node in walk(root):
        node.place = place
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
            message = (
                f"the environment variable {name} may not be read; allow it with "
                f'`env = ["{name}"]` under [tool.plx] in pyproject.toml'
            )
        elif name not in environ:
            message = f"the environment variable {name} is not set"
        else:
            return environ[name]
        problems.append(Problem("", message, scalar.place))
        return match.group(0)

    # Behind the last brace there is no variable: looking for one from each `${` takes n² steps.
    text, brace, rest = scalar.text.rpartition("}")
    if "${" in text:
        scalar.text = VARIABLE.sub(value, text + brace) + rest
