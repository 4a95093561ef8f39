"""Check that the shapes of a config fit, and remember the verdict until something that it depends on changes."""

from __future__ import annotations

import json

from plx_core.components.schema_cache import cache_dir
from plx_core.config.check import CheckedConfig

REMEMBERED = 500
"""How many verdicts are kept."""


def check_shapes(checked: CheckedConfig) -> None:
    """Build the network symbolically, as training would, without training; a verdict is remembered until something changes.

    Raises:
        ConfigError: a component refuses its parameters, or shapes do not fit; at the config's place.
    """
    if checked.fingerprint in _verdicts():
        return
    from plx_core.experiments.dry_run import build

    build(checked)
    _remember(checked.fingerprint)


def _verdicts() -> list[str]:
    try:
        stored = json.loads((cache_dir() / "checked.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [item for item in stored if isinstance(item, str)] if isinstance(stored, list) else []


def _remember(fingerprint: str) -> None:
    path = cache_dir() / "checked.json"
    aside = path.with_suffix(f".{fingerprint[:8]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps([*_verdicts(), fingerprint][-REMEMBERED:]), encoding="utf-8")
        aside.replace(path)
    except OSError:  # a verdict that cannot be kept is found anew
        return
