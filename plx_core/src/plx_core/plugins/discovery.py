"""Find plug-ins, import each on its own, and record which of them cannot be used and why."""

import importlib
import importlib.util
import inspect
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import importlib_metadata
import pluggy
from attrs import define, evolve, field, frozen

from plx_core import hookspecs
from plx_core.errors import PluginError, did_you_mean, reason_of

GROUP = "plx"
DISABLE_VARIABLE = "PLX_DISABLE_PLUGINS"
SLOW_SECONDS = 0.5
"""A plug-in whose import takes longer is reported as slow; most take about a millisecond."""
HOOKS = (*(f"provide_{kind}" for kind in hookspecs.KINDS), *hookspecs.FURTHER)


@frozen
class Plugin:
    """An installed or requested plug-in.

    Args:
        name: the name of its entry point, or of its module or file.
        module: the module or file that has its hooks.
        distribution: the distribution that declares the entry point; empty if there is none.
        version: the version of the distribution.
        error: why the plug-in cannot be used; empty if it can.
        import_seconds: the duration of its import.
    """

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    error: str = ""
    import_seconds: float = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether its import slows down every start of plx noticeably."""
        return self.import_seconds > SLOW_SECONDS

    @property
    def origin(self) -> str:
        """The distribution and version, or else the module."""
        return f"{self.distribution} {self.version}".strip() or self.module


@define
class Plugins:
    """A set of plug-ins; none is global, so a process may have several sets."""

    manager: pluggy.PluginManager = field(factory=lambda: _manager())
    plugins: dict[str, Plugin] = field(factory=dict)

    @property
    def broken(self) -> list[Plugin]:
        """The plug-ins that cannot be used."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    @property
    def requested(self) -> list[str]:
        """The modules, and absolute paths of files, that the user requested."""
        return [
            str(Path(plugin.module).resolve()) if _is_file(plugin.module) else plugin.module
            for plugin in self.plugins.values()
            if not plugin.distribution and not plugin.error
        ]

    def add(self, plugin: Plugin, module: ModuleType) -> None:
        """Register an imported module, or record why it cannot be used.

        Raises:
            PluginError: another plug-in has the same name.
        """
        if plugin.name in self.plugins:
            raise PluginError(
                f"two plug-ins are called {plugin.name}: {self.plugins[plugin.name].origin} and "
                f"{plugin.origin}; uninstall one, or name it in {DISABLE_VARIABLE}"
            )
        error = _fault(module, self.manager)
        if not error:
            try:
                self.manager.register(module, plugin.name)
            except (pluggy.PluginValidationError, ValueError) as fault:
                error = f"cannot be registered: {reason_of(fault)}"
        self.plugins[plugin.name] = evolve(plugin, error=error)

    def hooks_of(self, name: str) -> set[str]:
        """Return the names of the hooks that a plug-in implements."""
        module = self.manager.get_plugin(name)
        callers = None if module is None else self.manager.get_hookcallers(module)
        return {caller.name for caller in callers or ()}

    def mark_broken(self, name: str, error: str) -> None:
        """Record an error that occurred after the import, such as a hook that raises."""
        self.plugins[name] = evolve(self.plugins[name], error=error)


def load_plugins(
    modules: Iterable[str] = (),
    *,
    entry_points: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Plugins:
    """Import the installed plug-ins, then the requested modules and files.

    Args:
        modules: modules (`"acme.plugin"`) or files (`"my_parts.py"`) that the user requested.
        entry_points: whether to load the plug-ins of installed distributions.
        environ: the environment variables. `PLX_DISABLE_PLUGINS` holds names separated by commas,
            or `1` to disable all installed plug-ins.

    Raises:
        PluginError: a requested module or file cannot be used. An installed plug-in that cannot be
            used is only recorded.
    """
    plugins = Plugins()
    names = environ.get(DISABLE_VARIABLE, "").split(",")
    disabled = {name.strip() for name in names if name.strip()}
    if entry_points and disabled.isdisjoint({"1", "all"}):
        points = importlib_metadata.entry_points(group=GROUP)
        for point in sorted(points, key=lambda point: point.name):
            if point.name not in disabled:
                _add_entry_point(plugins, point)
    for module in modules:
        add_module(plugins, module)
    return plugins


def add_module(plugins: Plugins, source: str) -> None:
    """Import a module or file that the user requested, and register it.

    Raises:
        PluginError: it cannot be imported or used.
    """
    name = Path(source).stem if _is_file(source) else source
    if name in plugins.plugins:
        return
    try:
        module = _import_file(Path(source)) if _is_file(source) else importlib.import_module(source)
    except (Exception, SystemExit) as error:  # the import runs foreign code
        raise PluginError(f"plug-in {source} cannot be imported: {_describe(error)}") from error
    plugins.add(Plugin(name, source), module)
    if plugins.plugins[name].error:
        raise PluginError(f"plug-in {source}: {plugins.plugins[name].error}")


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _add_entry_point(plugins: Plugins, point: importlib_metadata.EntryPoint) -> None:
    plugin = Plugin(point.name, point.value)
    start = time.perf_counter()
    try:
        if point.dist is not None:
            plugin = evolve(plugin, distribution=point.dist.name, version=point.dist.version)
        module = point.load()
        plugins.add(evolve(plugin, import_seconds=time.perf_counter() - start), module)
    except PluginError as error:
        plugins.plugins[f"{point.name} ({plugin.origin})"] = evolve(plugin, error=str(error))
    except (Exception, SystemExit) as error:  # one broken plug-in must not affect the others
        message = f"cannot be imported: {_describe(error)}"
        plugins.plugins[point.name] = evolve(plugin, error=message)


def _fault(module: ModuleType, manager: pluggy.PluginManager) -> str:
    version = getattr(module, "PLX_API_VERSION", hookspecs.API_VERSION)
    if version != hookspecs.API_VERSION:
        return (
            f"was written for version {version} of the hooks; this plx_core has version "
            f"{hookspecs.API_VERSION}: install versions of the two that match"
        )
    for name in dir(module):
        is_hook = manager.parse_hookimpl_opts(module, name) is not None
        if is_hook and name not in HOOKS:
            return f"has a hook that plx does not know, {name}{did_you_mean(name, HOOKS)}"
        if is_hook and (arguments := _arguments(getattr(module, name))):
            return f"has a hook with arguments, {name}({', '.join(arguments)}); a hook takes none"
        if not is_hook and name in HOOKS and _is_own(getattr(module, name), module):
            return (
                f"has a function {name} that plx does not call; write @hookimpl above it "
                "(from plx_core import hookimpl)"
            )
    return ""


def _arguments(hook: Callable[..., Any]) -> list[str]:
    """Return the arguments that a hook requires."""
    return [
        parameter.name
        for parameter in inspect.signature(hook).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]


def _is_own(value: object, module: ModuleType) -> bool:
    return inspect.isfunction(value) and value.__module__ == module.__name__


def _is_file(source: str) -> bool:
    return source.endswith(".py") or os.sep in source


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
