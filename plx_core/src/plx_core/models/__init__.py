"""Models: a graph joined to a loss, an optimizer and metrics.

`plx_core.models` is also the namespace of installed models: `plx.models.Classifier` is the model of
that name, from any plug-in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plx_core.hookspecs import Factory


def __getattr__(name: str) -> Factory:
    from plx_core.components.namespaces import Namespace

    return getattr(Namespace("models"), name)  # type: ignore[no-any-return]


def __dir__() -> list[str]:
    from plx_core.components.namespaces import Namespace

    return dir(Namespace("models"))
