"""Choose the label that a model with one output learns."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core.errors import ComponentError, did_you_mean
from plx_core.types import Labels, Nested, Tensor

LABEL = "label"


def label_name(labels: Labels, model: str, name: str | None = None) -> str:
    """Return the name of the label to learn: this name, or else the only one, or `label`.

    Raises:
        ComponentError: there is none of this name, or there are several, and none is called
            `label`.
    """
    if not isinstance(labels, Mapping):
        return LABEL
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
    chosen = name or LABEL
    return chosen if chosen in labels else next(iter(labels), LABEL)


def single_label(labels: Labels, model: str, name: str | None = None) -> Tensor | None:
    """Return the label to learn; None if there is none. See `label_name`."""
    chosen = label_name(labels, model, name)
    return labels.get(chosen) if isinstance(labels, Mapping) else labels


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
