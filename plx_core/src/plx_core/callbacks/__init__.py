"""Callbacks: what can happen during a run.

`plx_core.callbacks` is also the namespace of its kind: `plx.callbacks.EarlyStopping` is an
installed callback, whichever plug-in it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plx_core.hookspecs import Factory


def __getattr__(name: str) -> Factory:
    from plx_core.components.namespaces import Namespace

    return getattr(Namespace("callbacks"), name)  # type: ignore[no-any-return]


def __dir__() -> list[str]:
    from plx_core.components.namespaces import Namespace

    return dir(Namespace("callbacks"))
