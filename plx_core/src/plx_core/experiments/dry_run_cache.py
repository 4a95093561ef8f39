"""The dry run of a config, cached until something that it depends on changes."""

from __future__ import annotations

import json

from attrs import evolve

from plx_core.components.schema_cache import cache_dir
from plx_core.config.check import CheckedConfig
from plx_core.errors import ConfigError
from plx_core.runs.atomic import write_aside

MAX_VERDICTS = 500
"""The number of verdicts to keep."""


def check_shapes(checked: CheckedConfig) -> None:
    """Build everything as training would, unless this config has passed before.

    Where a section of a plug-in has a method `variants(checked)`, which yields pairs of a
    description and another `CheckedConfig`, these are built too.

    Raises:
        ConfigError: a component refuses its parameters, or shapes do not fit.
    """
    _check_one(checked)
    for section in checked.sections.values():
        for description, variant in getattr(section, "variants", lambda checked: ())(checked):
            try:
                _check_one(variant)
            except ConfigError as error:
                raise ConfigError(
                    [
                        evolve(problem, message=f"with {description}: {problem.message}")
                        for problem in error.problems
                    ]
                ) from error


def _check_one(checked: CheckedConfig) -> None:
    if checked.fingerprint in _verdicts():
        return
    from plx_core.experiments.dry_run import build

    build(checked)
    _store(checked.fingerprint)


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
