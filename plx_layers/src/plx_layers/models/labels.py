"""Choose the label that a model with one output learns."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core.errors import ComponentError, did_you_mean
from plx_core.types import Labels, Nested, Tensor

LABEL = "label"


def single_label(labels: Labels, model: str, name: str | None = None) -> Tensor | None:
    """Return the label of this name; when it is None, the only label, or the one called `label`.

    Raises:
        ComponentError: there is none of this name, or there are several, and none is called
            `label`.
    """
    if not isinstance(labels, Mapping):
        return labels
    available = ", ".join(labels)
    if name is not None and labels and name not in labels:
        raise ComponentError(
            f"label: there is no label called {name}{did_you_mean(name, labels)}; "
            f"the data has {available}"
        )
    if name is None and len(labels) > 1 and LABEL not in labels:
        raise ComponentError(
            f"a {model} learns one label: the only one, the one called {LABEL}, "
            f"or the one that its parameter `label` names; the data has {available}"
        )
    return labels.get(name or LABEL, next(iter(labels.values()), None))


def require_label(label: Tensor | None, model: str) -> Tensor:
    """Return the label, which the loss and the metrics of a model need.

    Raises:
        ComponentError: the data has none.
    """
    if label is None:
        raise ComponentError(
            f"a {model} learns from labels, and the data has none; name them in the pipeline"
        )
    return label


def require_single_output(outputs: Nested, model: str) -> None:
    """Raise an error if a graph has several outputs.

    Raises:
        ComponentError: there are several.
    """
    if isinstance(outputs, Mapping):
        raise ComponentError(f"a {model}'s graph has one output, this one has {', '.join(outputs)}")


def shapes_agree(first: tuple[int | None, ...], second: tuple[int | None, ...]) -> bool:
    """Return whether two shapes of the same rank are equal where both are known."""
    return all(None in pair or pair[0] == pair[1] for pair in zip(first, second, strict=True))
