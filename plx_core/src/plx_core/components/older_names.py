"""Keyword arguments under the names that polyaxon-lib had for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def accept_older_names(**older: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function also take keyword arguments under older names.

    Args:
        older: current names by older name.

    Example:
        >>> @accept_older_names(hooks="callbacks")
        ... def train(callbacks=()):
        ...     return list(callbacks)
        >>> train(hooks=["a"])
        ['a']
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        call: Callable[..., R] = function

        @functools.wraps(function)
        def renaming(*args: P.args, **params: P.kwargs) -> R:
            return call(*args, **{older.get(name, name): value for name, value in params.items()})

        # Keras reads the arguments of a layer's __init__ without following a wrapper.
        renaming.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
        return renaming

    return decorate
