"""The dry run of a config, cached until something that it depends on changes."""

from __future__ import annotations

import json
from collections.abc import Iterable

from attrs import evolve

from plx_core.components.schema_cache import cache_dir
from plx_core.config.check import CheckedConfig
from plx_core.errors import ConfigError, Problem
from plx_core.runs.atomic import write_aside

MAX_VERDICTS = 500
"""The number of verdicts to keep."""


def check_shapes(checked: CheckedConfig) -> list[Problem]:
    """Build everything as training would, unless this config has passed without a warning before.

    Where a section of a plug-in has a method `variants(checked)`, which yields pairs of a
    description and another `CheckedConfig`, these are built too.

    Returns:
        Warnings.

    Raises:
        ConfigError: a component refuses its parameters, or shapes do not fit.
    """
    warnings = _check_one(checked)
    for section in checked.sections.values():
        for description, variant in getattr(section, "variants", lambda checked: ())(checked):
            try:
                warnings += _described(_check_one(variant), description)
            except ConfigError as error:
                raise ConfigError(_described(error.problems, description)) from error
    return warnings


def _described(problems: Iterable[Problem], description: str) -> list[Problem]:
    return [
        evolve(problem, message=f"with {description}: {problem.message}") for problem in problems
    ]


def _check_one(checked: CheckedConfig) -> list[Problem]:
    if checked.fingerprint in _verdicts():
        return []
    from plx_core.experiments.dry_run import build

    warnings = build(checked)
    if not warnings:
        _store(checked.fingerprint)
    return warnings


def _verdicts() -> list[str]:
    try:
        stored = json.loads((cache_dir() / "checked.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [item for item in stored if isinstance(item, str)] if isinstance(stored, list) else []


def _store(fingerprint: str) -> None:
    path = cache_dir() / "checked.json"
    verdicts = [*_verdicts(), fingerprint][-MAX_VERDICTS:]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_aside(path) as aside:
            aside.write_text(json.dumps(verdicts), encoding="utf-8")
    except OSError:  # without the cache, the next check builds again
        return
