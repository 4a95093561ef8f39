"""Config objects by name: `SGDConfig(learning_rate=0.01)` is a component, without a class for each."""

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
"""The metrics of polyaxon-lib whose names mean Keras's own; polyaxon-lib's are called `Streaming…`."""
WEIGHTS = frozenset({"weights", "class_weights"})
"""The parameters that polyaxon-lib's `MeanSquaredError` has and Keras's has not."""


def config_maker(name: str) -> Callable[..., Component]:
    """What makes the component that a name such as `OptimizerConfig` or `SGDConfig` stands for.

    Raises:
        AttributeError: the name stands for nothing.
    """
    if not name.endswith(SUFFIX) or name == SUFFIX:
        raise AttributeError(f"plx_core.config.sections has no {name}")
    stem = name.removesuffix(SUFFIX)
    named = next((kind for kind in KINDS if SINGULAR[kind] == stem.lower()), None)
    if named is not None:
        return lambda module, **params: _component(named, module, params)
    if stem in STREAMING:
        stem = f"Streaming{stem}"
    # polyaxon-lib's DecayExplorationConfig and L2RegularizerConfig name their kind at the end; the
    # latter is L2, not l2_regularizer. HuberLoss is a name of its own, and not Huber.
    ending = next(
        (
            kind
            for kind in KINDS
            if stem.lower().endswith(SINGULAR[kind])
            and _offers(kind, stem[: -len(SINGULAR[kind])])
            and all(entry.name != stem for entry in default_registry().entries(kind))
        ),
        None,
    )
    if ending is not None:
        return lambda **params: Component(ending, stem[: -len(SINGULAR[ending])], params)
    found = [kind for kind in KINDS if _offers(kind, stem)]
    if not found:
        raise AttributeError(f"no installed plug-in offers a component called {stem}")
    # A loss and a metric may share a name; which one is meant is known where the component is used.
    kind = found[0] if len(found) == 1 else ""
    return lambda **params: _component(kind, stem, params)


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


def _offers(kind: str, name: str) -> bool:
    try:
        default_registry().find(kind, name)
    except UnknownComponent:
        return False
    return True
