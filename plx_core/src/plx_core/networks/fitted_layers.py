"""Layers whose state is computed from data, such as `Normalization`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from plx_core import types
from plx_core.errors import ComponentError

REMEDIES = {
    "Normalization": "give it `mean` and `variance`",
    "Discretization": "give it `bin_boundaries`",
    "TextVectorization": "give it a `vocabulary`",
    "StringLookup": "give it a `vocabulary`",
    "IntegerLookup": "give it a `vocabulary`",
}


def require_fitted(layer: types.Layer) -> None:
    """Check that a layer has been given or has computed the state that it would compute from data.

    Without it, `Normalization` returns its input, lookups know no token, and `Discretization` fails
    at the first batch. Any other layer with a method `adapt` says by its attribute `is_adapted`
    whether it has its state.

    Raises:
        ComponentError: it has not, or does not say so.
    """
    if not hasattr(layer, "adapt"):
        return
    kind, is_fitted = _test_of(layer)
    if is_fitted is None:
        raise ComponentError(
            f"{layer.name} has a method `adapt`, but no attribute `is_adapted` that says whether "
            "its state has been computed"
        )
    if not is_fitted(layer):
        raise ComponentError(
            f"{layer.name} computes its state from data, and has none yet; "
            f"{REMEDIES.get(kind, 'give it its state when it is built')}, or call its `adapt` in "
            "a graph_fn"
        )


def _test_of(layer: types.Layer) -> tuple[str, Callable[[types.Layer], bool] | None]:
    """Return the name of the class that a layer derives its state from, and the test of it."""
    if hasattr(layer, "is_adapted"):
        return type(layer).__name__, lambda layer: bool(layer.is_adapted)
    names = [cls.__name__ for cls in type(layer).__mro__ if cls.__module__.startswith("keras.")]
    name = next((name for name in names if name in _TESTS), "")
    return name, _TESTS.get(name)


def _has_moments(layer: types.Layer) -> bool:
    if layer.input_mean is not None:
        return True
    # Keras counts nothing in `adapt`; before it, the mean is 0 and the variance 1.
    return layer.built and not (
        np.all(layer.adapt_mean.numpy() == 0) and np.all(layer.adapt_variance.numpy() == 1)
    )


def _has_tokens(layer: types.Layer) -> bool:
    return bool(layer.vocabulary_size() > layer._token_start_index())


_TESTS: Mapping[str, Callable[[types.Layer], bool]] = {
    "Normalization": _has_moments,
    "Discretization": lambda layer: layer.bin_boundaries is not None,
    "TextVectorization": lambda layer: _has_tokens(layer._lookup_layer),
    "StringLookup": _has_tokens,
    "IntegerLookup": _has_tokens,
}
