"""Keyword arguments by the names that polyaxon-lib had for them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def accept_older_names(**older: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take keyword arguments by older names too.

    Args:
        older: the current name of each older one.

    Example:
        >>> @accept_older_names(hooks="callbacks")
        ... def train(callbacks=()):
        ...     return list(callbacks)
        >>> train(hooks=["a"])
        ['a']
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def renaming(*args: Any, **params: Any) -> R:
            return function(
                *args, **{older.get(name, name): value for name, value in params.items()}
            )

        return renaming

    return decorate
