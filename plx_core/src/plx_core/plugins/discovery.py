"""Find plug-ins, import each by itself, and say plainly which of them cannot be used."""

import importlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import importlib_metadata
import pluggy
from attrs import define, evolve, field, frozen

from plx_core import hookspecs
from plx_core.errors import PluginError, did_you_mean

GROUP = "plx"
DISABLE_VARIABLE = "PLX_DISABLE_PLUGINS"
SLOW_SECONDS = 0.5
"""A plug-in whose import takes longer is said to be slow; one that only names its parts takes a thousandth of it."""
HOOKS = (*(f"provide_{kind}" for kind in hookspecs.KINDS), *hookspecs.FURTHER)


@frozen
class Plugin:
    """One plug-in: its name, where it comes from, what is wrong with it, if anything, and how long its import took."""

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    error: str = ""
    import_seconds: float = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether every start of plx waits for it noticeably."""
        return self.import_seconds > SLOW_SECONDS

    @property
    def origin(self) -> str:
        """The distribution and version, or the module where there is no distribution."""
        return f"{self.distribution} {self.version}".strip() or self.module


@define
class Plugins:
    """The plug-ins of one process; build as many as you like, none is global."""

    manager: pluggy.PluginManager = field(factory=lambda: _manager())
    plugins: dict[str, Plugin] = field(factory=dict)

    @property
    def broken(self) -> list[Plugin]:
        """The plug-ins that cannot be used."""
        return [plugin for plugin in self.plugins.values() if plugin.error]

    def add(self, plugin: Plugin, module: ModuleType) -> None:
        """Register an imported module, or record why it cannot be."""
        error = _fault(module, self.manager)
        if plugin.name in self.plugins:
            raise PluginError(
                f"two plug-ins are called {plugin.name}: {self.plugins[plugin.name].origin} and {plugin.origin}; "
                f"uninstall one, or name it in {DISABLE_VARIABLE}"
            )
        self.plugins[plugin.name] = _with_error(plugin, error)
        if not error:
            self.manager.register(module, plugin.name)

    def mark_broken(self, name: str, error: str) -> None:
        """Record a fault that came to light after the import, such as a hook that raises."""
        self.plugins[name] = _with_error(self.plugins[name], error)


def load_plugins(
    modules: Iterable[str] = (),
    *,
    entry_points: bool = True,
    environ: Mapping[str, str] = os.environ,
) -> Plugins:
    """Import the installed plug-ins and the given modules or files.

    Args:
        modules: modules (`"acme.plugin"`) or files (`"my_parts.py"`) that the person running asked for.
        entry_points: whether installed distributions are searched.
        environ: where `PLX_DISABLE_PLUGINS` is read: names separated by commas, or `1` for all installed ones.

    Raises:
        PluginError: a module or file that was asked for cannot be used. An installed one that cannot is recorded.
    """
    found = Plugins()
    disabled = {
        name.strip() for name in environ.get(DISABLE_VARIABLE, "").split(",") if name.strip()
    }
    if entry_points and disabled.isdisjoint({"1", "all"}):
        for point in sorted(
            importlib_metadata.entry_points(group=GROUP), key=lambda point: point.name
        ):
            if point.name not in disabled:
                _add_entry_point(found, point)
    for module in modules:
        add_module(found, module)
    return found


def add_module(plugins: Plugins, source: str) -> None:
    """Import a module or file that the person running asked for, and register it."""
    name = Path(source).stem if _is_file(source) else source
    if name in plugins.plugins:
        return
    plugin = Plugin(name, source)
    try:
        module = _import_file(Path(source)) if _is_file(source) else importlib.import_module(source)
    except (
        Exception
    ) as error:  # whatever a stranger's module raises on import is its fault to report, not ours
        raise PluginError(f"plug-in {source} cannot be imported: {_describe(error)}") from error
    plugins.add(plugin, module)
    if plugins.plugins[name].error:
        raise PluginError(f"plug-in {source}: {plugins.plugins[name].error}")


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _add_entry_point(plugins: Plugins, point: importlib_metadata.EntryPoint) -> None:
    metadata: Any = point.dist.metadata if point.dist else {}
    plugin = Plugin(
        point.name,
        point.value,
        metadata["Name"] if metadata else "",
        metadata["Version"] if metadata else "",
    )
    began = time.perf_counter()
    try:
        module = point.load()
        plugins.add(evolve(plugin, import_seconds=time.perf_counter() - began), module)
    except PluginError as error:
        plugins.plugins[f"{point.name} ({plugin.origin})"] = _with_error(plugin, str(error))
    except Exception as error:  # one plug-in that cannot be imported must not harm the others
        plugins.plugins[point.name] = _with_error(plugin, f"cannot be imported: {_describe(error)}")


def _fault(module: ModuleType, manager: pluggy.PluginManager) -> str:
    wanted = getattr(module, "PLX_API_VERSION", hookspecs.API_VERSION)
    if wanted != hookspecs.API_VERSION:
        return (
            f"was written for version {wanted} of the hooks; this plx_core has version {hookspecs.API_VERSION}: "
            f"install a version of it for these, or a plx-core for those"
        )
    for name in dir(module):
        if name not in HOOKS and manager.parse_hookimpl_opts(module, name) is not None:
            return f"has a hook that plx does not know, {name}{did_you_mean(name, HOOKS)}"
    return ""


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


def _with_error(plugin: Plugin, error: str) -> Plugin:
    return evolve(plugin, error=error)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
