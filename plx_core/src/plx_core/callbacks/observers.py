"""Callbacks that plug-ins attach to every run, isolated so that none of them can end it."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pluggy import HookImpl

from plx_core.callbacks.callback import Callback
from plx_core.hookspecs import Factories, Factory
from plx_core.plugins.discovery import Plugins

if TYPE_CHECKING:
    from plx_core.runs.run import Run

logger = logging.getLogger(__name__)


class Observers(Callback):
    """The observers of all plug-ins, as one callback.

    An observer that raises is reported and gets no further events of the run, which continues.

    Args:
        plugins: the plug-ins whose hook `provide_run_observers` is called.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._active: dict[str, Callback] = {}
        for hook in plugins.manager.hook.provide_run_observers.get_hookimpls():
            for name, factory in _factories(hook).items():
                label = f"observer {name} of plug-in {hook.plugin_name}"
                try:
                    self._active[label] = _load(factory)()
                except Exception as error:  # code of a plug-in
                    _report(label, "creation", error)

    def __bool__(self) -> bool:
        return bool(self._active)

    def _tell(self, event: str, *args: Any) -> None:
        for label, observer in list(self._active.items()):
            try:
                getattr(observer, event)(*args)
            except Exception as error:  # code of a plug-in
                del self._active[label]
                _report(label, event, error)

    def on_config(self, run: Run, config: Mapping[str, Any]) -> None:
        """Pass the event on."""
        self._tell("on_config", run, config)

    def on_run_begin(self, run: Run, step: int) -> None:
        """Pass the event on."""
        self._tell("on_run_begin", run, step)

    def on_block(self, run: Run, step: int) -> None:
        """Pass the event on."""
        self._tell("on_block", run, step)

    def on_log(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Pass the event on."""
        self._tell("on_log", run, step, metrics)

    def on_checkpoint(self, run: Run, step: int, path: str) -> None:
        """Pass the event on."""
        self._tell("on_checkpoint", run, step, path)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Pass the event on."""
        self._tell("on_evaluate", run, step, metrics, split)

    def on_episode(self, run: Run, episode: Mapping[str, float]) -> None:
        """Pass the event on."""
        self._tell("on_episode", run, episode)

    def on_run_end(self, run: Run, step: int) -> None:
        """Pass the event on."""
        self._tell("on_run_end", run, step)

    def on_failure(self, run: Run, error: BaseException) -> None:
        """Pass the event on."""
        self._tell("on_failure", run, error)


def _factories(hook: HookImpl) -> Factories:
    """Return what the hook of a plug-in provides; nothing, with a report, where it fails."""
    try:
        return dict(cast(Factories, hook.function()))
    except (Exception, SystemExit) as error:  # code of a plug-in
        _report(f"plug-in {hook.plugin_name}", "provide_run_observers", error)
        return {}


def _load(factory: Factory | str) -> Factory:
    if not isinstance(factory, str):
        return factory
    module, _, attribute = factory.partition(":")
    loaded: Factory = getattr(importlib.import_module(module), attribute)
    return loaded


def _report(label: str, event: str, error: BaseException) -> None:
    logger.warning(
        "%s: %s failed: %s: %s; it gets no further events of this run",
        label,
        event,
        type(error).__name__,
        error,
    )
    logger.debug("traceback of the failed observer", exc_info=error)
