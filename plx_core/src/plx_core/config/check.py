"""Check a config: report every mistake at once, without importing TensorFlow if possible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from attrs import evolve, field, frozen

from plx_core.components.component import Component, converter, structure
from plx_core.components.json_schema import Schema, class_schema
from plx_core.components.schema_cache import Signatures, stamp
from plx_core.config.load import Permissions, load_tree, override
from plx_core.config.sections import ExperimentConfig
from plx_core.config.validate import Reader, plain
from plx_core.config.yaml_tree import ListNode, MapNode, ScalarNode, copy, to_python
from plx_core.errors import ComponentError, ConfigError, Place, PlxError, Problem
from plx_core.plugins.discovery import add_module, load_plugins
from plx_core.plugins.registry import Registry
from plx_core.runs.metrics import criterion_of


@frozen
class CheckedConfig:
    """A config whose structure is correct.

    Args:
        config: the sections.
        resolved: the same as plain data, with all defaults.
        registry: the registry that has its components.
        sections: the sections of plug-ins, by key.
        plugins: the plug-ins that it uses, with their versions.
        places: where each value was written, by path.
        files: the files and folders that the config names, by the path of the value.
        fingerprint: a hash of everything that the shapes depend on: the values, the files of data
            and of components, and the versions.
        tree: the config as it was written, with bases and overrides merged.
        allowed: what it may read and load.
    """

    config: ExperimentConfig
    resolved: dict[str, Any]
    registry: Registry
    sections: Mapping[str, Any]
    plugins: Mapping[str, str]
    places: Mapping[str, Place] = field(repr=False)
    files: Mapping[str, Sequence[str]] = field(repr=False)
    fingerprint: str
    tree: MapNode = field(repr=False)
    allowed: Permissions = field(repr=False)

    @property
    def is_reinforcement(self) -> bool:
        """Whether the experiment trains an agent."""
        return self.config.agent is not None or self.config.train.env is not None

    @property
    def data(self) -> dict[str, Any]:
        """The config as it was written, as plain data; without the sections of plug-ins."""
        data: dict[str, Any] = to_python(self.tree)
        return {key: value for key, value in data.items() if key not in self.sections}

    def override(self, values: Mapping[str, Any], place: Place | None = None) -> CheckedConfig:
        """Return the config with other values, and without the sections of plug-ins.

        Args:
            values: values by path, as for `--set`.
            place: the place of the values, for messages; each path's own `--set` if None.

        Raises:
            ConfigError: the result is wrong; has every mistake.
        """
        tree = cast("MapNode", copy(self.tree))
        for section in self.sections:
            del tree.items[section]
        problems: tuple[Problem, ...] = ()
        try:
            override(tree, values, place)
        except ConfigError as error:
            problems = error.problems
        try:
            checked = _check_tree(tree, self.registry, self.allowed)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        return checked

    @property
    def data_files(self) -> dict[str, Sequence[str]]:
        """The files that are read throughout a run: all but those of its initial weights."""
        return {
            path: files
            for path, files in self.files.items()
            if not path.startswith("train.warm_start")
        }

    def locate(self, error: PlxError, component: Component) -> ConfigError:
        """Add places to an error of a component.

        The place is that of the value that the error names, or else that of the component.
        """
        if isinstance(error, ConfigError):
            problems = error.problems
        else:
            about = error.about if isinstance(error, ComponentError) else ""
            problems = (Problem(about if about in self.places else "", str(error)),)
        return ConfigError([self._locate(problem, component) for problem in problems])

    def _locate(self, problem: Problem, component: Component) -> Problem:
        if problem.place is not None:
            return problem
        if problem.path and problem.path in self.places:
            return evolve(problem, place=self.places[problem.path])
        path = self._path_below(component, problem.path)
        return Problem(path, problem.message, self.places.get(path, component.place))

    def _path_below(self, component: Component, path: str) -> str:
        """Return the full path of a path that may be relative to a component."""
        if not path:
            return component.path
        for known in self.places:
            if known.startswith(component.path) and known.endswith(f".{path}"):
                return known
        if path.startswith(component.path):
            return path
        return f"{component.path}.{path}"


def check_config(
    config: str | Path | Mapping[str, Any],
    sets: Sequence[str] = (),
    allowed: Permissions | None = None,
    registry: Registry | None = None,
) -> CheckedConfig:
    """Load, resolve and check a config; nothing is built.

    TensorFlow is imported only if a component's parameters are not in the cache.

    Args:
        config: a YAML or JSON file, or a mapping with the same content.
        sets: `a.b=value` strings, applied last.
        allowed: what the config may read and load.
        registry: the registry of components; the installed plug-ins if None.

    Raises:
        ConfigError: the config is wrong; has every mistake.
    """
    allowed = allowed or Permissions()
    tree = load_tree(config, sets, allowed)
    registry = registry or Registry(load_plugins(allowed.plugins))
    return _check_tree(tree, registry, allowed)


def _check_tree(tree: MapNode, registry: Registry, allowed: Permissions) -> CheckedConfig:
    problems = _load_named_plugins(tree, registry, allowed)
    schema = class_schema(ExperimentConfig)
    classes = _section_classes(tree, schema, registry, problems)
    schema["properties"] |= {name: class_schema(cls) for name, cls in classes.items()}
    signatures = Signatures()
    reader = Reader(registry, signatures)
    values = reader.read(tree, schema)
    signatures.save()
    problems += reader.problems
    if not problems:
        problems = _check_sections(values, reader.places)
    if problems:
        raise ConfigError(sorted(problems, key=in_order))
    sections: dict[str, Any] = {
        name: structure(values.pop(name), cls) for name, cls in classes.items()
    }
    config = structure(values, ExperimentConfig)
    resolved = plain(converter().unstructure(config) | {"model": config.model}, signatures)
    signatures.save()
    checked = CheckedConfig(
        config,
        resolved,
        registry,
        sections,
        dict(reader.used),
        reader.places,
        reader.files,
        _fingerprint(resolved, reader),
        tree,
        allowed,
    )
    for section in sections.values():
        if hasattr(section, "check"):
            section.check(checked)
    return checked


def _section_classes(
    tree: MapNode, schema: Schema, registry: Registry, problems: list[Problem]
) -> dict[str, type]:
    """Return the classes of the sections of plug-ins that a config has."""
    classes: dict[str, type] = {}
    for name in tree.items:
        if name in schema["properties"]:
            continue
        try:
            entry = registry.find_section(name)
            if entry is not None:
                classes[name] = cast("type", entry.load())
        except PlxError as error:
            problems.append(Problem(name, str(error), tree.key_places[name]))
            schema["properties"][name] = {}
    return classes


def check_structure(tree: MapNode, registry: Registry) -> None:
    """Check a config whose data may lie on another machine.

    Raises:
        ConfigError: with every mistake but files that do not exist.
    """
    signatures = Signatures()
    reader = Reader(registry, signatures, needs_files=False)
    reader.read(tree, class_schema(ExperimentConfig))
    signatures.save()
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=in_order))


def _load_named_plugins(tree: MapNode, registry: Registry, allowed: Permissions) -> list[Problem]:
    """Load the plug-ins that the config names and the user allows."""
    node = tree.items.get("plugins")
    problems = []
    for item in node.items if isinstance(node, ListNode) else []:
        loaded = {plugin.module for plugin in registry.plugins.plugins.values()}
        if not isinstance(item, ScalarNode) or item.text in loaded:
            continue
        if item.text not in allowed.plugins:
            message = (
                f"{item.text} is code from outside the installed plug-ins; to load it run with "
                f"--plugin {item.text}, or list it under [tool.plx] plugins in pyproject.toml"
            )
            problems.append(Problem("plugins", message, item.place))
            continue
        try:
            add_module(registry.plugins, item.text)
        except PlxError as error:
            problems.append(Problem("plugins", str(error), item.place))
    return problems


def _check_sections(values: Mapping[str, Any], places: Mapping[str, Place]) -> list[Problem]:
    """Return the mistakes between sections that are each correct."""
    train, evaluation = values.get("train", {}), values.get("eval", {})
    problems = []
    for name, section in (("train", train), ("eval", evaluation)):
        if section.get("data_pipeline") and section.get("env"):
            message = (
                "has both a data_pipeline, for supervised learning, and an env, for reinforcement "
                "learning; remove one"
            )
            problems.append(Problem(name, message, places.get(name)))
    if not any(
        section.get(key) for section in (train, evaluation) for key in ("data_pipeline", "env")
    ):
        message = "data_pipeline is missing (or env, for reinforcement learning)"
        problems.append(Problem("train", message, places.get("train", places.get(""))))
    goals = ("train_steps", "train_episodes", "train_timesteps")
    if train.get("env") and not any(train.get(goal) for goal in goals):
        message = (
            "train_timesteps is missing (or train_steps, or train_episodes): an environment never "
            "ends by itself"
        )
        problems.append(Problem("train", message, places.get("train")))
    if values.get("agent") and train.get("data_pipeline"):
        message = "an agent learns from train.env, not from a data_pipeline"
        problems.append(Problem("agent", message, places.get("agent")))
    keep_best = values.get("keep_best")
    if keep_best:
        try:
            criterion_of(keep_best["metric"], keep_best.get("higher_is_better"))
        except ComponentError as error:
            place = places.get("keep_best.metric")
            problems.append(Problem("keep_best.metric", str(error), place))
    return problems


def in_order(problem: Problem) -> tuple[str, int, int]:
    """Return a sort key for problems: their file, line and column."""
    place = problem.place
    return (place.source, place.line, place.column) if place else ("", 0, 0)


def _fingerprint(resolved: Mapping[str, Any], reader: Reader) -> str:
    files = reader.sources.union(*reader.files.values())
    stamps = {path: stamp(Path(path)) for path in sorted(files)}
    content = json.dumps(
        [resolved, dict(sorted(reader.used.items())), stamps, str(Path.cwd())],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(content.encode()).hexdigest()
