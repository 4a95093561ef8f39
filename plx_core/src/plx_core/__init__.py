"""plx: deep-learning and reinforcement-learning experiments on TensorFlow, made of plug-ins.

    import plx_core as plx

Parts, by kind and name: `plx.layers`, `plx.losses`, `plx.optimizers`, `plx.models`, `plx.memories`, `plx.envs`, … hold every
installed component of a kind, and `dir()` lists them. `plx.configs` names a component without making it.

To run: `plx.Estimator` and `plx.Experiment` for supervised learning, `plx.Agent` and `plx.RLExperiment` for reinforcement learning,
`plx.RunConfig` and `plx.EnvironmentConfig` for how; `plx.create_experiment` makes what a file describes, and `plx.inputs` feeds arrays.
`plx.load_model` reads a saved network.

To extend: `plx.hookimpl` marks the hooks of a plug-in (`plx_core.hookspecs` has them all), `plx.Callback`, `plx.Pipeline`,
`plx.Environment`, `plx.Memory`, `plx.Exploration`, `plx.Model`, `plx.Tracker` and `plx.Exporter` are what its parts implement,
`plx_core.annotations` has the words for their signatures, and `plx.testing` checks them.

Mistakes are `plx.errors.PlxError`. Nothing imports TensorFlow until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from plx_core.annotations import GraphFn
from plx_core.hookspecs import KINDS, Factories, hookimpl
from plx_core.interfaces import (
    Callback,
    Environment,
    Exploration,
    Exporter,
    Learner,
    Learnt,
    Memory,
    Modes,
    Pipeline,
    Policy,
    State,
    Stateful,
    Step,
    Tracker,
)

if TYPE_CHECKING:
    from plx_core.agent import Agent
    from plx_core.bridge import Bridge, BridgeSpec, Crossing
    from plx_core.components import Component
    from plx_core.configs import EnvironmentConfig, RunConfig
    from plx_core.estimators import Estimator
    from plx_core.experiments import (
        Experiment,
        RLExperiment,
        create_experiment,
        create_rl_experiment,
    )
    from plx_core.graphs import Graph
    from plx_core.saving import load_model
    from plx_core.specs import AgentSpec, EstimatorSpec, Model, Trainable

__version__ = "0.1.0"

_LAZY = {
    "Agent": "plx_core.agent",
    "AgentSpec": "plx_core.specs",
    "Bridge": "plx_core.bridge",
    "BridgeSpec": "plx_core.bridge",
    "Component": "plx_core.components",
    "Crossing": "plx_core.bridge",
    "Estimator": "plx_core.estimators",
    "EstimatorSpec": "plx_core.specs",
    "Experiment": "plx_core.experiments",
    "Graph": "plx_core.graphs",
    "Model": "plx_core.specs",
    "Trainable": "plx_core.specs",
    "RLExperiment": "plx_core.experiments",
    "EnvironmentConfig": "plx_core.configs",
    "RunConfig": "plx_core.configs",
    "create_experiment": "plx_core.experiments",
    "create_rl_experiment": "plx_core.experiments",
    "load_model": "plx_core.saving",
}
_MODULES = ("checkpoints", "configs", "errors", "estimators", "experiments", "inputs", "testing")
_SHORT = {"envs": "environments"}

__all__ = [
    "KINDS",
    "Agent",
    "AgentSpec",
    "Bridge",
    "BridgeSpec",
    "Callback",
    "Component",
    "Crossing",
    "Environment",
    "EnvironmentConfig",
    "Estimator",
    "EstimatorSpec",
    "Experiment",
    "Exploration",
    "Exporter",
    "Factories",
    "Graph",
    "GraphFn",
    "Learner",
    "Learnt",
    "Memory",
    "Model",
    "Modes",
    "Pipeline",
    "Policy",
    "RLExperiment",
    "RunConfig",
    "State",
    "Stateful",
    "Step",
    "Tracker",
    "Trainable",
    "create_experiment",
    "create_rl_experiment",
    "hookimpl",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"plx_core.{name}")
    kind = _SHORT.get(name, name)
    if kind in KINDS or name == "rl":
        from plx_core.namespaces import Kinds, Namespace

        return Kinds() if name == "rl" else Namespace(kind)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY, *_MODULES, *_SHORT, *KINDS, "rl", "__version__"})
