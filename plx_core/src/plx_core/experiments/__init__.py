"""Experiments: train and evaluate in turns, from a config or from Python."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plx_core.experiments.from_config import (
        create_experiment,
        create_rl_experiment,
        run_experiment,
    )
    from plx_core.experiments.reinforcement import RLExperiment
    from plx_core.experiments.supervised import Experiment

_LAZY = {
    "Experiment": "plx_core.experiments.supervised",
    "RLExperiment": "plx_core.experiments.reinforcement",
    "create_experiment": "plx_core.experiments.from_config",
    "create_rl_experiment": "plx_core.experiments.from_config",
    "run_experiment": "plx_core.experiments.from_config",
}

__all__ = [
    "Experiment",
    "RLExperiment",
    "create_experiment",
    "create_rl_experiment",
    "run_experiment",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
