"""Plug-ins are told of a run: what starts, ends, is saved and is measured."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pluggy

from plx_core.callbacks.callback import Callback
from plx_core.hookspecs import EVENTS
from plx_core.plugins.discovery import Plugins

logger = logging.getLogger(__name__)


class RunEvents(Callback):
    """Tells the plug-ins that listen of one run.

    Args:
        plugins: those that are asked whether they listen.
    """

    def __init__(self, plugins: Plugins) -> None:
        found = {event: getattr(plugins.manager.hook, event).get_hookimpls() for event in EVENTS}
        self._listeners: dict[str, list[pluggy.HookImpl]] = {
            event: listeners for event, listeners in found.items() if listeners
        }
        self._silent: set[str] = set()

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens; where nobody does, a run need not know of this."""
        return bool(self._listeners)

    def tell(self, event: str, **about: Any) -> None:
        """Call the hook of an event in every plug-in that has it.

        A plug-in that raises is reported and told no more: what watches a run must not end it.
        """
        for listener in self._listeners.get(event, ()):
            name = listener.plugin_name
            if name in self._silent:
                continue
            try:
                listener.function(*(about[argument] for argument in listener.argnames))
            except Exception as error:  # a stranger's code; see the docstring
                self._silent.add(name)
                logger.warning(
                    "plug-in %s: %s failed: %s: %s; it is told no more of this run",
                    name,
                    event,
                    type(error).__name__,
                    error,
                )
                logger.debug("where it failed", exc_info=error)

    def on_run_begin(self, run: Any, step: int) -> None:
        """Training starts."""
        self.tell("run_started", run=run, step=step)

    def on_block(self, run: Any, step: int) -> None:
        """A call of TensorFlow has ended."""
        self.tell("block_ended", run=run, step=step)

    def on_checkpoint(self, run: Any, step: int, path: str) -> None:
        """A checkpoint has been written."""
        self.tell("checkpoint_saved", run=run, step=step, path=path)

    def on_episode(self, run: Any, episode: Mapping[str, float]) -> None:
        """An episode has ended."""
        self.tell("episode_ended", run=run, episode=episode)

    def on_run_end(self, run: Any, step: int) -> None:
        """Training has ended."""
        self.tell("run_finished", run=run, step=step)
