"""Config objects by name: `SGDConfig(learning_rate=0.01)` makes a component, and is no class."""

from __future__ import annotations

from collections.abc import Callable

from plx_core.components.component import Component, default_registry
from plx_core.errors import UnknownComponent
from plx_core.hookspecs import KINDS
from plx_core.plugins.registry import SINGULAR

SUFFIX = "Config"


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
    # Some names of polyaxon-lib end in the kind, such as DecayExplorationConfig. They are tried
    # first, so that L2RegularizerConfig is the regularizer L2, not the function l2_regularizer.
    for kind in KINDS:
        prefix = stem[: -len(SINGULAR[kind])]
        if stem.lower().endswith(SINGULAR[kind]) and _is_offered(kind, prefix):
            return _maker_of(kind, prefix)
    kinds = [kind for kind in KINDS if _is_offered(kind, stem)]
    if not kinds:
        raise AttributeError(f"no installed plug-in offers a component called {stem}")
    # A loss and a metric may share a name. Then the kind is left empty: the place of use decides.
    return _maker_of(kinds[0] if len(kinds) == 1 else "", stem)


def _maker_of_kind(kind: str) -> Callable[..., Component]:
    return lambda module, **params: Component(kind, module, params)


def _maker_of(kind: str, name: str) -> Callable[..., Component]:
    return lambda **params: Component(kind, name, params)


def _is_offered(kind: str, name: str) -> bool:
    try:
        default_registry().find(kind, name)
    except UnknownComponent:
        return False
    return True
