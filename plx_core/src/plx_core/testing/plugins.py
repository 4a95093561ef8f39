"""The check of a whole plug-in: its module, and each of its parts."""

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
from plx_core.testing.callbacks import check_callback
from plx_core.testing.environments import check_environment
from plx_core.testing.explorations import check_exploration
from plx_core.testing.exporters import check_exporter
from plx_core.testing.failures import CannotTry, CheckFailed, describe, expecting, require
from plx_core.testing.layers import check_layer
from plx_core.testing.losses import check_loss
from plx_core.testing.memories import check_memory
from plx_core.testing.metrics import check_metric
from plx_core.testing.models import check_model
from plx_core.testing.optimizers import check_optimizer
from plx_core.testing.other_kinds import UNBUILT, check_part
from plx_core.testing.part import Params
from plx_core.testing.pipelines import check_pipeline
from plx_core.testing.schedules import check_schedule
from plx_core.testing.trackers import check_tracker

Outcome: TypeAlias = Literal["passed", "failed", "not tried"]
Examples: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Arguments of a part's check besides the part, by kind and name: `params` and its keywords."""

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
"""The check of each kind; `check_part` for the other kinds."""
HEAVY = frozenset(("tensorflow", "keras", "numpy", "torch", "pandas", "sklearn", "matplotlib"))
"""Modules that take too long to import at each start of plx."""


@frozen
class Result:
    """The result of checking one part, or the plug-in's module.

    Args:
        kind: the part's kind, or `plugin`.
        name: its name.
        outcome: `passed`, `failed`, or `not tried` for lack of an example.
        message: why it did not pass.
    """

    kind: str
    name: str
    outcome: Outcome
    message: str = ""


def check_plugin(plugin: str | ModuleType, examples: Examples | None = None) -> list[Result]:
    """Check a plug-in: its module, and all of its parts.

    Args:
        plugin: its module, the module's name, or the name under which it is installed.
        examples: arguments of the parts' checks, by kind and name; they take precedence over the
            plug-in's own hook `provide_examples`.

    Returns:
        The result of each part, including those that were not tried.

    Raises:
        CheckFailed: with every failure.
    """
    results = try_plugin(plugin, examples)
    failures = [result.message for result in results if result.outcome == "failed"]
    if failures:
        name = plugin if isinstance(plugin, str) else plugin.__name__
        raise CheckFailed(
            f"plug-in {name}",
            f"checked {len(results) - 1} parts",
            "\n".join([f"{len(failures)} failures", *failures]),
            "no failures",
            "fix each as its message says",
        )
    return results


def try_plugin(plugin: str | ModuleType, examples: Examples | None = None) -> list[Result]:
    """Check a plug-in and each of its parts; the first result is of the plug-in's module.

    Args:
        plugin: as for `check_plugin`.
        examples: as for `check_plugin`.

    Raises:
        PluginError: there is no such plug-in.
    """
    registry, name = _registry_with(plugin)
    installed = registry.plugins.plugins[name]
    if installed.error:
        return [_broken(installed)]
    module_result = result_of("plugin", name, lambda: _check_module(installed))
    entries = [
        entry for kind in KINDS for entry in registry.entries(kind) if entry.plugin.name == name
    ]
    collected = registry.plugins.plugins[name]
    if collected.error:  # a hook failed while its entries were collected
        return [_broken(collected)]
    return [
        module_result,
        *(
            result_of(
                entry.kind,
                entry.name,
                functools.partial(check_entry, registry, entry, examples or {}),
            )
            for entry in entries
        ),
    ]


def result_of(kind: str, name: str, check: Callable[[], None]) -> Result:
    """Run a check and return its result."""
    try:
        check()
    except CannotTry as reason:
        return Result(kind, name, "not tried", str(reason))
    except (CheckFailed, PlxError) as failure:
        return Result(kind, name, "failed", str(failure))
    except Exception as error:  # the check itself failed on an unusual part
        return Result(kind, name, "failed", f"{SINGULAR.get(kind, kind)} {name}: {describe(error)}")
    return Result(kind, name, "passed")


def check_entry(registry: Registry, entry: Entry, examples: Examples) -> None:
    """Check one part of a plug-in, with its example if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = _example(registry, entry, examples, Path(folder))
        params = arguments.pop("params", None)
        if params is None and entry.kind not in UNBUILT:
            params = _default_params(entry)
        check = CHECKS.get(entry.kind, functools.partial(check_part, entry.kind))
        component = Component(entry.kind, entry.qualified_name, registry=registry)
        try:
            check(component, params, **arguments)
        except CannotTry:
            raise
        except Exception as error:
            if arguments or not _is_from_keras(entry):
                raise
            reason = error.came if isinstance(error, CheckFailed) else describe(error)
            raise CannotTry(
                f"{SINGULAR[entry.kind]} {entry.name} is Keras's own, and needs an example in "
                f"provide_examples: {reason}"
            ) from error


def _registry_with(plugin: str | ModuleType) -> tuple[Registry, str]:
    """Return a registry that holds a plug-in, and the plug-in's name in it."""
    plugins = load_plugins()
    name = plugin if isinstance(plugin, str) else plugin.__name__
    for installed in plugins.plugins.values():
        if name in (installed.name, installed.distribution, installed.module):
            return Registry(plugins), installed.name
    if isinstance(plugin, str):
        try:
            plugin = importlib.import_module(plugin)
        except Exception as error:  # importing a module can raise anything
            raise PluginError(
                f"there is no plug-in {name}, and no module of that name can be imported: "
                f"{describe(error)}"
            ) from error
    plugins.add(Plugin(name, name), plugin)
    return Registry(plugins), name


def _broken(plugin: Plugin) -> Result:
    return Result("plugin", plugin.name, "failed", f"plug-in {plugin.name}: {plugin.error}")


def _check_module(plugin: Plugin) -> None:
    """Fail the check if importing a plug-in's module imports one of `HEAVY`."""
    program = (
        f"import sys, importlib; importlib.import_module({plugin.module!r}); "
        f"print(*({set(HEAVY)!r} & sys.modules.keys()))"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    about, did = f"plug-in {plugin.name}", f"imported {plugin.module} in a new process"
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=False
    )
    require(
        process.returncode == 0,
        about,
        did,
        process.stderr.strip().splitlines()[-1:],
        "an import without an error",
        "fix the import",
    )
    imported = sorted(process.stdout.split())
    require(
        not imported,
        about,
        did,
        f"it imports {', '.join(imported)}",
        "no heavy imports",
        "return strings, 'package.module:Name', from its hooks: plx imports each when a config "
        "uses it",
    )


def _is_from_keras(entry: Entry) -> bool:
    """Return whether a part is Keras's own, which the plug-in's author cannot fix."""
    factory = entry.load()
    return factory.__module__.startswith("keras.") or hasattr(factory, "__signature__")


def _example(registry: Registry, entry: Entry, examples: Examples, folder: Path) -> dict[str, Any]:
    """Return the arguments that the author gives for the check of a part.

    An example can also be a string, `module:function`; the function gets a folder for its data.
    """
    example = examples.get(entry.kind, {}).get(entry.name)
    if example is None:
        example = registry.examples(entry.plugin.name).get(entry.kind, {}).get(entry.name, {})
    if isinstance(example, str):
        module, _, attribute = example.partition(":")
        with expecting(
            f"{SINGULAR[entry.kind]} {entry.name}",
            f"called {example} for its example",
            "a mapping",
            "fix that function",
        ):
            example = getattr(importlib.import_module(module), attribute)(folder)
    return dict(example)


def _default_params(entry: Entry) -> Params:
    """Return values for the parameters that the part requires, as `plx components` shows them."""
    signatures = Signatures()
    line = yaml_line(entry.name, signatures.parameters(entry)).removeprefix("- ")
    signatures.save()
    if UNKNOWN in line or f": {SCALARS['string']}" in line:
        raise CannotTry(
            f"{SINGULAR[entry.kind]} {entry.name} has parameters that only its author can choose; "
            "give an example in the hook provide_examples"
        )
    config = yaml.safe_load(line)
    return (next(iter(config.values())) or {}) if isinstance(config, Mapping) else {}
