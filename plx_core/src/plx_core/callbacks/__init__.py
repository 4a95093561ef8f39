"""Callbacks: what can happen during a run.

`plx_core.callbacks` is also the namespace of its kind: `plx.callbacks.EarlyStopping` is an
installed callback, whichever plug-in it comes from.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from plx_core.components.namespaces import Namespace

    return getattr(Namespace("callbacks"), name)


def __dir__() -> list[str]:
    from plx_core.components.namespaces import Namespace

    return dir(Namespace("callbacks"))
