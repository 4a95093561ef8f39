"""The check of a whole plug-in: its module, and each of its parts by the check of its kind."""

from __future__ import annotations

import functools
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias

import yaml
from attrs import frozen

from plx_core.components.component import Component
from plx_core.components.example_lines import SCALARS, UNKNOWN, yaml_line
from plx_core.components.schema_cache import Signatures
from plx_core.errors import PluginError, PlxError
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import Plugin, load_plugins
from plx_core.plugins.registry import SINGULAR, Entry, Registry
from plx_core.testing.failures import CannotTry, CheckFailed, describe, expecting, require
from plx_core.testing.inputs import check_pipeline
from plx_core.testing.keras_parts import (
    check_layer,
    check_loss,
    check_metric,
    check_optimizer,
    check_schedule,
)
from plx_core.testing.models import check_model
from plx_core.testing.other_parts import UNBUILT, check_part
from plx_core.testing.reinforcement import check_environment, check_exploration, check_memory
from plx_core.testing.run_parts import check_callback, check_exporter, check_tracker

Outcome: TypeAlias = Literal["passed", "failed", "not tried"]
Examples: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By kind and name, what a check is given besides the part: `params`, and its further arguments."""

CHECKS: Mapping[str, Callable[..., None]] = {
    "layers": check_layer,
    "losses": check_loss,
    "optimizers": check_optimizer,
    "metrics": check_metric,
    "schedules": check_schedule,
    "models": check_model,
    "pipelines": check_pipeline,
    "memories": check_memory,
    "explorations": check_exploration,
    "environments": check_environment,
    "callbacks": check_callback,
    "exporters": check_exporter,
    "trackers": check_tracker,
}
"""The check of each kind that has one of its own; the others have `check_part`."""
HEAVY = frozenset(("tensorflow", "keras", "numpy", "torch", "pandas", "sklearn", "matplotlib"))
"""What starting plx should not wait for."""


@frozen
class Result:
    """What came of checking one part, or of checking the plug-in's module.

    Args:
        kind: the part's kind, or `plugin`.
        name: its name.
        outcome: whether it passed, failed, or was not tried for want of an example.
        message: why it did not pass.
    """

    kind: str
    name: str
    outcome: Outcome
    message: str = ""


def check_plugin(plugin: str | ModuleType, examples: Examples | None = None) -> list[Result]:
    """Check a plug-in: its module, and all of its parts.

    Args:
        plugin: its module, the name of one, or the name under which it is installed.
        examples: what the check of a part is given, by kind and name; before what the plug-in's own hook `provide_examples` says.

    Returns:
        What came of each part, for a look at those that were not tried.

    Raises:
        CheckFailed: with every failure.
    """
    results = try_plugin(plugin, examples)
    failed = [result for result in results if result.outcome == "failed"]
    if failed:
        name = plugin if isinstance(plugin, str) else plugin.__name__
        raise CheckFailed(
            f"plug-in {name}",
            f"checked {len(results) - 1} parts",
            f"{len(failed)} failures\n" + "\n".join(result.message for result in failed),
            "none",
            "mend each as it says",
        )
    return results


def try_plugin(plugin: str | ModuleType, examples: Examples | None = None) -> list[Result]:
    """What comes of checking a plug-in and each of its parts; the first result is of the plug-in itself.

    Args:
        plugin: as for `check_plugin`.
        examples: as for `check_plugin`.

    Raises:
        PluginError: there is no such plug-in.
    """
    registry, found = _found(plugin)
    if found.error:
        return [Result("plugin", found.name, "failed", f"plug-in {found.name}: {found.error}")]
    results = [tried("plugin", found.name, lambda: _check_module(found))]
    entries = [
        entry
        for kind in KINDS
        for entry in registry.entries(kind)
        if entry.plugin.name == found.name
    ]
    broken = registry.plugins.plugins[found.name].error
    if broken:
        return [Result("plugin", found.name, "failed", f"plug-in {found.name}: {broken}")]
    for entry in entries:
        results.append(
            tried(
                entry.kind,
                entry.name,
                functools.partial(check_entry, registry, entry, examples or {}),
            )
        )
    return results


def _found(plugin: str | ModuleType) -> tuple[Registry, Plugin]:
    """The registry that holds a plug-in, and the plug-in."""
    plugins = load_plugins()
    name = plugin if isinstance(plugin, str) else plugin.__name__
    for known in plugins.plugins.values():
        if name in (known.name, known.distribution, known.module):
            return Registry(plugins), known
    if isinstance(plugin, str):
        try:
            plugin = importlib.import_module(plugin)
        except Exception as error:  # a name that is no module, or a module that cannot be imported
            raise PluginError(
                f"there is no plug-in {name}, and no module of that name can be imported: {describe(error)}"
            ) from error
    plugins.add(Plugin(name, name), plugin)
    return Registry(plugins), plugins.plugins[name]


def tried(kind: str, name: str, check: Callable[[], None]) -> Result:
    """What comes of a check."""
    try:
        check()
    except CannotTry as reason:
        return Result(kind, name, "not tried", str(reason))
    except (CheckFailed, PlxError) as failed:
        return Result(kind, name, "failed", str(failed))
    except Exception as error:  # a check that stumbles over a part has found a fault of it
        return Result(kind, name, "failed", f"{SINGULAR.get(kind, kind)} {name}: {describe(error)}")
    return Result(kind, name, "passed")


def _check_module(plugin: Plugin) -> None:
    """Fail where importing a plug-in's module imports what starting plx should not wait for."""
    program = f"import sys, importlib; importlib.import_module({plugin.module!r}); print(*({set(HEAVY)!r} & sys.modules.keys()))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    about, did = f"plug-in {plugin.name}", f"imported {plugin.module} in a process of its own"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False
    )
    require(
        answer.returncode == 0,
        about,
        did,
        answer.stderr.strip().splitlines()[-1:],
        "an import without an error",
        "mend the import",
    )
    require(
        not answer.stdout.split(),
        about,
        did,
        f"it imports {', '.join(sorted(answer.stdout.split()))}",
        "an import that is light",
        "write places, 'package.module:Name', in the mappings that its hooks return: each is imported when a config uses it",
    )


def check_entry(registry: Registry, entry: Entry, examples: Examples) -> None:
    """Check one part of a plug-in by the check of its kind, with its example if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        example = _example(registry, entry, examples, Path(folder))
        params = example.pop("params", None)
        if params is None and entry.kind not in UNBUILT:
            params = _default_params(entry)
        check = CHECKS.get(entry.kind, functools.partial(check_part, entry.kind))
        try:
            check(Component(entry.kind, entry.qualified_name, registry=registry), params, **example)
        except CannotTry:
            raise
        except Exception as error:
            if example or not _is_keras_own(entry):
                raise
            reason = error.came if isinstance(error, CheckFailed) else describe(error)
            raise CannotTry(
                f"{SINGULAR[entry.kind]} {entry.name} is Keras's own, and needs an example in provide_examples: {reason}"
            ) from error


def _is_keras_own(entry: Entry) -> bool:
    """Whether a plug-in only passes on a part of Keras's: its author can say how it is tried, and not mend it."""
    factory = entry.load()
    return factory.__module__.startswith("keras.") or hasattr(factory, "__signature__")


def _example(registry: Registry, entry: Entry, examples: Examples, folder: Path) -> dict[str, Any]:
    """What the author says of how to try a part; a place in its stead names a function of a folder that writes data and returns it."""
    given = examples.get(entry.kind, {}).get(entry.name)
    if given is None:
        given = registry.examples(entry.plugin.name).get(entry.kind, {}).get(entry.name, {})
    if isinstance(given, str):
        module, _, attribute = given.partition(":")
        with expecting(
            f"{SINGULAR[entry.kind]} {entry.name}",
            f"called {given} for its example",
            "a mapping",
            "mend that function",
        ):
            given = getattr(importlib.import_module(module), attribute)(folder)
    return dict(given)


def _default_params(entry: Entry) -> Mapping[str, Any]:
    """What the part cannot do without, as `plx components` shows it."""
    signatures = Signatures()
    line = yaml_line(entry.name, signatures.parameters(entry)).removeprefix("- ")
    signatures.save()
    if UNKNOWN in line or f": {SCALARS['string']}" in line:
        needs = (
            f"{SINGULAR[entry.kind]} {entry.name} has parameters that only its author can choose"
        )
        raise CannotTry(f"{needs}; give an example in the hook provide_examples")
    read = yaml.safe_load(line)
    return (next(iter(read.values())) or {}) if isinstance(read, Mapping) else {}
