"""Calls of callbacks, with messages for what they raise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError, PlxError, RunFailed, failure_of


def tell(callbacks: Iterable[Callback], event: str, step: int, *args: Any) -> list[Any]:
    """Call the method of an event of each callback; return what they return.

    Args:
        callbacks: the callbacks, in the order of the calls.
        event: the name of the method, such as `on_log`.
        step: the global step, for messages.
        args: the arguments of the method.

    Raises:
        RunFailed: a callback raised an exception; the message names it, the event and the step.
        ComponentError: a callback does not fit the run; the message is as for `RunFailed`.
        PlxError: a callback raised another one, which is passed on.
    """
    results = []
    for callback in callbacks:
        try:
            results.append(getattr(callback, event)(*args))
        except ComponentError as error:
            raise ComponentError(
                f"{_where(callback, event, step)}: {error}", error.about
            ) from error
        except PlxError:
            raise
        except Exception as error:  # code of a plug-in or of the user
            raise RunFailed(
                f"{_where(callback, event, step)} failed: {failure_of(error)} "
                "(plx --traceback shows where)"
            ) from error
    return results


def _where(callback: Callback, event: str, step: int) -> str:
    return f"callback {callback.label}: {event} at step {step}"
