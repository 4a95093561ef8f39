"""Calls of callbacks, with notes on what they raise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError, PlxError, note_failure


def tell(callbacks: Iterable[Callback], event: str, step: int, *args: Any) -> list[Any]:
    """Call the method of an event of each callback; return what they return.

    Args:
        callbacks: the callbacks, in the order of the calls.
        event: the name of the method, such as `on_log`.
        step: the global step, for messages.
        args: the arguments of the method.

    Raises:
        ComponentError: a callback does not fit the run; the message names it, the event and the
            step.
        Exception: a callback raised it; a note of `note_failure` says the same.
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
            note_failure(error, _where(callback, event, step))
            raise
    return results


def _where(callback: Callback, event: str, step: int) -> str:
    return f"callback {callback.label}: {event} at step {step}"
