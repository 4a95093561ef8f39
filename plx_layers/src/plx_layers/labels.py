"""Which of the data's labels a model of one output learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plx_core.errors import ComponentError

LABEL = "label"


def single_label(labels: Any, model: str) -> Any:
    """The only label, or the one called `label`.

    Raises:
        ComponentError: there are several, and none is called so.
    """
    if not isinstance(labels, Mapping):
        return labels
    if len(labels) > 1 and LABEL not in labels:
        raise ComponentError(f"a {model} takes one label, or the one called {LABEL}; the data has {', '.join(labels)}")
    return labels.get(LABEL, next(iter(labels.values()), None))


def single_output(outputs: Any, model: str) -> None:
    """Refuse a graph of several outputs.

    Raises:
        ComponentError: there are several.
    """
    if isinstance(outputs, Mapping):
        raise ComponentError(f"a {model}'s graph has one output, this one has {', '.join(outputs)}")
