"""Config objects by name: `SGDConfig(learning_rate=0.01)` makes a component, and is no class."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from plx_core.components.component import Component, default_registry
from plx_core.errors import UnknownComponent
from plx_core.hookspecs import KINDS
from plx_core.plugins.registry import SINGULAR

SUFFIX = "Config"
STREAMING = frozenset(
    {
        "AUC",
        "Mean",
        "PearsonCorrelation",
        "SensitivityAtSpecificity",
        "SpecificityAtSensitivity",
    }
)
"""Metrics of polyaxon-lib with names of Keras's; its own are called `Streaming…` now."""
WEIGHTS = frozenset({"weights", "class_weights"})
"""The parameters that polyaxon-lib's `MeanSquaredError` has and Keras's has not."""


def config_maker(name: str) -> Callable[..., Component]:
    """Return the function behind a name such as `OptimizerConfig` or `SGDConfig`.

    Raises:
        AttributeError: the name is neither a kind nor an installed component followed by `Config`.
    """
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise AttributeError(f"plx_core.config.sections has no {name}")
    stem = name.removesuffix(SUFFIX)
    for kind in KINDS:
        if SINGULAR[kind] == stem.lower():
            return _maker_of_kind(kind)
    if stem in STREAMING:
        stem = f"Streaming{stem}"
    # Some names of polyaxon-lib end in the kind, such as DecayExplorationConfig. They are tried
    # first, so that L2RegularizerConfig is the regularizer L2, not the function l2_regularizer.
    # HuberLoss is a name of its own, and not Huber.
    for kind in KINDS:
        prefix = stem[: -len(SINGULAR[kind])]
        is_name = any(entry.name == stem for entry in default_registry().entries(kind))
        is_suffixed = stem.lower().endswith(SINGULAR[kind]) and not is_name
        if is_suffixed and _is_offered(kind, prefix):
            return _maker_of(kind, prefix)
    kinds = [kind for kind in KINDS if _is_offered(kind, stem)]
    if not kinds:
        raise AttributeError(f"no installed plug-in offers a component called {stem}")
    # A loss and a metric may share a name. Then the kind is left empty: the place of use decides.
    return _maker_of(kinds[0] if len(kinds) == 1 else "", stem)


def takes_weights_of_2017(name: str, params: Iterable[str]) -> bool:
    """Return whether a loss is polyaxon-lib's `MeanSquaredError` with weights."""
    is_mean_squared_error = name.replace("_", "").lower() == "meansquarederror"
    return is_mean_squared_error and not WEIGHTS.isdisjoint(params)


def _component(kind: str, name: str, params: dict[str, Any]) -> Component:
    if kind in ("losses", "") and takes_weights_of_2017(name, params):
        rest = {key: value for key, value in params.items() if key not in WEIGHTS}
        weights = {key: value for key, value in params.items() if key in WEIGHTS}
        return Component("losses", "Weighted", {"loss": {name: rest}, **weights})
    return Component(kind, name, params)


def _maker_of_kind(kind: str) -> Callable[..., Component]:
    return lambda module, **params: _component(kind, module, params)


def _maker_of(kind: str, name: str) -> Callable[..., Component]:
    return lambda **params: _component(kind, name, params)


def _is_offered(kind: str, name: str) -> bool:
    try:
        default_registry().find(kind, name)
    except UnknownComponent:
        return False
    return True
