"""plx: deep-learning and reinforcement-learning experiments on TensorFlow, built from plug-ins.

    import plx_core as plx

Components by kind and name: `plx.layers`, `plx.losses`, `plx.optimizers`, `plx.models`,
`plx.memories`, `plx.envs`, … hold every installed component of a kind; `dir()` lists them.
`plx.configs` names a component without creating it.

To run: `plx.Estimator` and `plx.Experiment` for supervised learning, `plx.Agent` and
`plx.RLExperiment` for reinforcement learning, `plx.RunConfig` and `plx.EnvironmentConfig` for
their settings. `plx.create_experiment` creates what a file describes, `plx.inputs` feeds arrays,
and `plx.load_model` reads a saved network.

To extend: `plx.hookimpl` marks the hooks of a plug-in (see `plx_core.hookspecs`). `plx.Callback`,
`plx.Pipeline`, `plx.Environment`, `plx.Memory`, `plx.Exploration`, `plx.Model`, `plx.Tracker` and
`plx.Exporter` are the interfaces of components; `plx_core.annotations` and `plx_core.types` have
the annotations of their signatures, and `plx_core.testing` checks them.

This module, `annotations`, `errors`, `hookspecs`, `testing` and `types` are the public API; the
other modules may change at any time. Errors are `plx.errors.PlxError`. TensorFlow is imported on
first use.
"""

# No `from __future__ import annotations`: it would hide the module `plx_core.annotations`.
import importlib
from typing import TYPE_CHECKING, Any

from plx_core.hookspecs import KINDS, Factories, hookimpl

if TYPE_CHECKING:
    from plx_core.annotations import GraphFn
    from plx_core.callbacks.callback import Callback
    from plx_core.cli.options import Request, experiment_options
    from plx_core.cli.tables import print_table
    from plx_core.components.component import (
        Component,
        make,
        parameter_names,
        requested_plugins,
    )
    from plx_core.components.json_schema import type_hints
    from plx_core.components.older_names import accept_older_names
    from plx_core.components.schema_cache import cache_dir
    from plx_core.config.check import CheckedConfig, check_config
    from plx_core.config.load import Permissions
    from plx_core.config.sections import EnvironmentConfig, RunConfig
    from plx_core.data.arrays import ArrayPipeline, numpy_input_fn, pandas_input_fn
    from plx_core.data.batches import ElementSpec, Resident, batches, bytes_per_example
    from plx_core.data.feature_processors import Processors, process_fn
    from plx_core.data.indexed import BatchOptions, IndexedPipeline, OrderedPipeline
    from plx_core.data.input_fn import as_pipeline
    from plx_core.data.order import Order, make_order
    from plx_core.data.pipeline import Pipeline
    from plx_core.engine.updates import Updater
    from plx_core.engine.variables import assign_variables
    from plx_core.experiments.dry_run_cache import check_shapes
    from plx_core.experiments.from_config import create_experiment, create_rl_experiment
    from plx_core.experiments.reinforcement import RLExperiment
    from plx_core.experiments.supervised import Experiment
    from plx_core.models.bridge import Bridge, BridgeOutput, BridgeSpec, SampleFn
    from plx_core.models.metrics import metric_input
    from plx_core.models.model import Model, Trainable, with_older_names
    from plx_core.models.spec import (
        DEFAULT_SUMMARIES,
        EstimatorSpec,
        LabelRange,
        Summary,
        follows_schedule,
    )
    from plx_core.networks.graph import Graph, as_graph_fn, call_graph_fn
    from plx_core.networks.load_model import load_model
    from plx_core.networks.observations import STATE, as_features, features_of
    from plx_core.networks.variable_names import variables_by_name
    from plx_core.plugins.discovery import load_plugins
    from plx_core.plugins.registry import snake_case
    from plx_core.reinforcement.agent import Agent
    from plx_core.reinforcement.agent_spec import AgentSpec
    from plx_core.reinforcement.episodes import play_greedily
    from plx_core.reinforcement.interfaces import (
        Environment,
        Exploration,
        FusedProgram,
        Learner,
        Memory,
        Policy,
        Step,
        UpdateResult,
    )
    from plx_core.runs.atomic import write_aside
    from plx_core.runs.interfaces import Exporter, Tracker
    from plx_core.runs.metrics import metric_value
    from plx_core.runs.run import Run
    from plx_core.state import Modes, Seedable, State, Stateful
    from plx_core.supervised.estimator import Estimator

__version__ = "0.1.0"

_EXPORTS = {
    "plx_core.annotations": ("GraphFn",),
    "plx_core.callbacks.callback": ("Callback",),
    "plx_core.components.component": (
        "Component",
        "make",
        "parameter_names",
        "requested_plugins",
    ),
    "plx_core.components.json_schema": ("type_hints",),
    "plx_core.components.older_names": ("accept_older_names",),
    "plx_core.components.schema_cache": ("cache_dir",),
    "plx_core.cli.options": (
        "Request",
        "experiment_options",
    ),
    "plx_core.cli.tables": ("print_table",),
    "plx_core.config.check": (
        "CheckedConfig",
        "check_config",
    ),
    "plx_core.config.load": ("Permissions",),
    "plx_core.config.sections": (
        "EnvironmentConfig",
        "RunConfig",
    ),
    "plx_core.data.arrays": (
        "ArrayPipeline",
        "numpy_input_fn",
        "pandas_input_fn",
    ),
    "plx_core.data.batches": (
        "ElementSpec",
        "Resident",
        "batches",
        "bytes_per_example",
    ),
    "plx_core.data.feature_processors": (
        "Processors",
        "process_fn",
    ),
    "plx_core.data.indexed": (
        "BatchOptions",
        "IndexedPipeline",
        "OrderedPipeline",
    ),
    "plx_core.data.input_fn": ("as_pipeline",),
    "plx_core.data.order": (
        "Order",
        "make_order",
    ),
    "plx_core.data.pipeline": ("Pipeline",),
    "plx_core.engine.updates": ("Updater",),
    "plx_core.engine.variables": ("assign_variables",),
    "plx_core.experiments.dry_run_cache": ("check_shapes",),
    "plx_core.experiments.from_config": (
        "create_experiment",
        "create_rl_experiment",
    ),
    "plx_core.experiments.reinforcement": ("RLExperiment",),
    "plx_core.experiments.supervised": ("Experiment",),
    "plx_core.models.bridge": (
        "Bridge",
        "BridgeOutput",
        "BridgeSpec",
        "SampleFn",
    ),
    "plx_core.models.metrics": ("metric_input",),
    "plx_core.models.model": (
        "Model",
        "Trainable",
        "with_older_names",
    ),
    "plx_core.models.spec": (
        "DEFAULT_SUMMARIES",
        "EstimatorSpec",
        "LabelRange",
        "Summary",
        "follows_schedule",
    ),
    "plx_core.networks.graph": (
        "Graph",
        "as_graph_fn",
        "call_graph_fn",
    ),
    "plx_core.networks.load_model": ("load_model",),
    "plx_core.networks.observations": (
        "STATE",
        "as_features",
        "features_of",
    ),
    "plx_core.networks.variable_names": ("variables_by_name",),
    "plx_core.plugins.discovery": ("load_plugins",),
    "plx_core.plugins.registry": ("snake_case",),
    "plx_core.reinforcement.agent": ("Agent",),
    "plx_core.reinforcement.agent_spec": ("AgentSpec",),
    "plx_core.reinforcement.episodes": ("play_greedily",),
    "plx_core.reinforcement.interfaces": (
        "Environment",
        "Exploration",
        "FusedProgram",
        "Learner",
        "Memory",
        "Policy",
        "Step",
        "UpdateResult",
    ),
    "plx_core.runs.atomic": ("write_aside",),
    "plx_core.runs.interfaces": (
        "Exporter",
        "Tracker",
    ),
    "plx_core.runs.run": ("Run",),
    "plx_core.runs.metrics": ("metric_value",),
    "plx_core.state": (
        "Modes",
        "Seedable",
        "State",
        "Stateful",
    ),
    "plx_core.supervised.estimator": ("Estimator",),
}
"""The public names by the module that defines them, which is imported on first use."""

_LAZY = {name: module for module, names in _EXPORTS.items() for name in names}

_MODULES = {
    "annotations": "plx_core.annotations",
    "checkpoints": "plx_core.runs.checkpoints",
    "configs": "plx_core.config.sections",
    "errors": "plx_core.errors",
    "estimators": "plx_core.experiments.estimators",
    "experiments": "plx_core.experiments",
    "inputs": "plx_core.data.arrays",
    "processing": "plx_core.data.arrays",
    "testing": "plx_core.testing",
    "types": "plx_core.types",
}
_SHORT = {"envs": "environments"}

__all__ = [
    "DEFAULT_SUMMARIES",
    "KINDS",
    "STATE",
    "Agent",
    "AgentSpec",
    "ArrayPipeline",
    "BatchOptions",
    "Bridge",
    "BridgeOutput",
    "BridgeSpec",
    "Callback",
    "CheckedConfig",
    "Component",
    "ElementSpec",
    "Environment",
    "EnvironmentConfig",
    "Estimator",
    "EstimatorSpec",
    "Experiment",
    "Exploration",
    "Exporter",
    "Factories",
    "FusedProgram",
    "Graph",
    "GraphFn",
    "IndexedPipeline",
    "LabelRange",
    "Learner",
    "Memory",
    "Model",
    "Modes",
    "Order",
    "OrderedPipeline",
    "Permissions",
    "Pipeline",
    "Policy",
    "Processors",
    "RLExperiment",
    "Request",
    "Resident",
    "Run",
    "RunConfig",
    "SampleFn",
    "Seedable",
    "State",
    "Stateful",
    "Step",
    "Summary",
    "Tracker",
    "Trainable",
    "UpdateResult",
    "Updater",
    "accept_older_names",
    "as_features",
    "as_graph_fn",
    "as_pipeline",
    "assign_variables",
    "batches",
    "bytes_per_example",
    "cache_dir",
    "call_graph_fn",
    "check_config",
    "check_shapes",
    "create_experiment",
    "create_rl_experiment",
    "experiment_options",
    "features_of",
    "follows_schedule",
    "hookimpl",
    "load_model",
    "load_plugins",
    "make",
    "make_order",
    "metric_input",
    "metric_value",
    "numpy_input_fn",
    "pandas_input_fn",
    "parameter_names",
    "play_greedily",
    "print_table",
    "process_fn",
    "requested_plugins",
    "snake_case",
    "type_hints",
    "variables_by_name",
    "with_older_names",
    "write_aside",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    kind = _SHORT.get(name, name)
    if kind in KINDS or name == "rl":
        from plx_core.components.namespaces import Kinds, Namespace

        return Kinds() if name == "rl" else Namespace(kind)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, *_SHORT, *KINDS, "rl", "__version__"})
