"""Check a config: every mistake at once, without TensorFlow as far as the structure goes, then the shapes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from plx_core.components.component import Component, converter, structure
from plx_core.components.json_schema import class_schema
from plx_core.components.schema_cache import Signatures, stamp
from plx_core.config.load import Permissions, load_tree
from plx_core.config.sections import ExperimentConfig
from plx_core.config.validate import Reader, plain
from plx_core.config.yaml_tree import ListNode, MapNode, ScalarNode
from plx_core.errors import ConfigError, Place, PlxError, Problem
from plx_core.plugins.discovery import add_module, load_plugins
from plx_core.plugins.registry import Registry


@frozen
class CheckedConfig:
    """A config without structural mistakes.

    Args:
        config: the sections.
        resolved: the same as plain data, with every default.
        registry: where its components were found.
        plugins: the plug-ins that it uses, with their versions.
        places: where each value was written, by path.
        fingerprint: what its shapes depend on: the data's and the components' files, the versions, the values.
    """

    config: ExperimentConfig
    resolved: dict[str, Any]
    registry: Registry
    plugins: Mapping[str, str]
    places: Mapping[str, Place] = field(repr=False)
    fingerprint: str

    @property
    def is_reinforcement(self) -> bool:
        """Whether the experiment trains an agent."""
        return self.config.agent is not None or self.config.train.env is not None

    def locate(self, error: PlxError, component: Component) -> ConfigError:
        """The same mistake, at the place of the part that it names, or else at the component's."""
        about = getattr(error, "about", "")
        problems = (
            error.problems
            if isinstance(error, ConfigError)
            else [Problem(about if about in self.places else "", str(error))]
        )
        return ConfigError([self._located(problem, component) for problem in problems])

    def _located(self, problem: Problem, component: Component) -> Problem:
        if problem.place is not None:
            return problem
        if problem.path and problem.path in self.places:
            return evolve(problem, place=self.places[problem.path])
        below = [
            path
            for path in self.places
            if problem.path
            and path.startswith(component.path)
            and path.endswith(f".{problem.path}")
        ]
        path = (
            below[0]
            if below
            else problem.path
            if problem.path.startswith(component.path)
            else ".".join(filter(None, (component.path, problem.path)))
        )
        return Problem(path, problem.message, self.places.get(path, component.place))


def check_config(
    config: str | Path | Mapping[str, Any],
    sets: Sequence[str] = (),
    allowed: Permissions | None = None,
    registry: Registry | None = None,
) -> CheckedConfig:
    """Load, resolve and check a config; nothing is built, and TensorFlow is imported only to learn a component's parameters.

    Args:
        config: a YAML or JSON file, or the same as a mapping.
        sets: `a.b=value` texts, applied last.
        allowed: what the config may read and load.
        registry: where components are found; the installed plug-ins' when None.

    Raises:
        ConfigError: with every mistake that was found.
    """
    allowed = allowed or Permissions()
    tree = load_tree(config, sets, allowed)
    registry = registry or Registry(load_plugins(allowed.plugins))
    problems = _load_named_plugins(tree, registry, allowed)
    signatures = Signatures()
    reader = Reader(registry, signatures)
    values = reader.read(tree, class_schema(ExperimentConfig))
    signatures.save()
    problems += reader.problems
    if not problems:
        problems = _sections(values, reader.places)
    if problems:
        raise ConfigError(sorted(problems, key=in_order))
    checked = structure(values, ExperimentConfig)
    resolved = plain(
        converter().unstructure(structure({**values, "model": None}, ExperimentConfig))
        | _components(checked),
        signatures,
    )
    signatures.save()
    return CheckedConfig(
        checked,
        resolved,
        registry,
        dict(reader.used),
        reader.places,
        _fingerprint(resolved, reader),
    )


def _load_named_plugins(tree: MapNode, registry: Registry, allowed: Permissions) -> list[Problem]:
    """Load the plug-ins that the config names and the person running allows."""
    node = tree.items.get("plugins")
    problems = []
    for item in node.items if isinstance(node, ListNode) else []:
        if not isinstance(item, ScalarNode) or item.text in {
            plugin.module for plugin in registry.plugins.plugins.values()
        }:
            continue
        if item.text not in allowed.plugins:
            message = (
                f"{item.text} is code from outside the installed plug-ins; to load it run with --plugin {item.text}, "
                "or list it under [tool.plx] plugins in pyproject.toml"
            )
            problems.append(Problem("plugins", message, item.place))
            continue
        try:
            add_module(registry.plugins, item.text)
        except PlxError as error:
            problems.append(Problem("plugins", str(error), item.place))
    return problems


def _sections(values: Mapping[str, Any], places: Mapping[str, Place]) -> list[Problem]:
    """Mistakes between sections that are each right by themselves."""
    train, evaluation = values.get("train", {}), values.get("eval", {})
    problems = []
    for name, section in (("train", train), ("eval", evaluation)):
        if section.get("data_pipeline") and section.get("env"):
            problems.append(
                Problem(
                    name,
                    "has both a data_pipeline and an env; supervised learning has the one, reinforcement learning the other",
                    places.get(name),
                )
            )
    if (
        not train.get("data_pipeline")
        and not train.get("env")
        and not evaluation.get("data_pipeline")
        and not evaluation.get("env")
    ):
        problems.append(
            Problem(
                "train",
                "data_pipeline is missing (or env, for reinforcement learning)",
                places.get("train", places.get("")),
            )
        )
    if train.get("env") and not any(
        train.get(name) for name in ("train_steps", "train_episodes", "train_timesteps")
    ):
        message = "train_timesteps is missing (or train_steps, or train_episodes): an environment never ends by itself"
        problems.append(Problem("train", message, places.get("train")))
    if values.get("agent") and train.get("data_pipeline"):
        problems.append(
            Problem(
                "agent",
                "an agent learns from train.env, not from a data_pipeline",
                places.get("agent"),
            )
        )
    return problems


def _components(config: ExperimentConfig) -> dict[str, Any]:
    return {"model": config.model}


def in_order(problem: Problem) -> tuple[str, int, int]:
    """Where a mistake stands among the others: by its file, line and column."""
    return (
        (problem.place.source, problem.place.line, problem.place.column)
        if problem.place
        else ("", 0, 0)
    )


def _fingerprint(resolved: Mapping[str, Any], reader: Reader) -> str:
    stamps = {path: stamp(Path(path)) for path in sorted(reader.files | reader.sources)}
    content = json.dumps(
        [resolved, dict(sorted(reader.used.items())), stamps, str(Path.cwd())],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(content.encode()).hexdigest()
