"""Models: a graph joined to a loss, an optimizer and metrics.

`plx_core.models` is also the namespace of its kind: `plx.models.Classifier` is an
installed model, whichever plug-in it comes from.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from plx_core.components.namespaces import Namespace

    return getattr(Namespace("models"), name)


def __dir__() -> list[str]:
    from plx_core.components.namespaces import Namespace

    return dir(Namespace("models"))
