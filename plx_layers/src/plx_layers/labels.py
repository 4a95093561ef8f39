"""Which of the data's labels a model of one output learns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plx_core.errors import ComponentError, did_you_mean

LABEL = "label"


def single_label(labels: Any, model: str, name: str | None = None) -> Any:
    """The label of this name; when it is None, the only label, or the one called `label`.

    Raises:
        ComponentError: there is none of this name, or there are several, and none is called `label`.
    """
    if not isinstance(labels, Mapping):
        return labels
    if name is not None and labels and name not in labels:
        raise ComponentError(
            f"label: there is no label called {name}{did_you_mean(name, labels)}; the data has {', '.join(labels)}"
        )
    if name is None and len(labels) > 1 and LABEL not in labels:
        raise ComponentError(
            f"a {model} takes one label, or the one called {LABEL}, or the one that its parameter `label` names; "
            f"the data has {', '.join(labels)}"
        )
    return labels.get(name or LABEL, next(iter(labels.values()), None))


def single_output(outputs: Any, model: str) -> None:
    """Refuse a graph of several outputs.

    Raises:
        ComponentError: there are several.
    """
    if isinstance(outputs, Mapping):
        raise ComponentError(f"a {model}'s graph has one output, this one has {', '.join(outputs)}")
