"""Keras's own components by name, read from the source of its public modules.

Nothing here imports Keras.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

NOT_COMPONENTS = frozenset(
    {
        # Abstract base classes.
        "Layer", "Loss", "Metric", "Optimizer", "LearningRateSchedule", "Initializer",
        "Regularizer", "Constraint", "Wrapper",
        # Not layers, or they would carry code or a saved model in a config.
        "Input", "InputLayer", "InputSpec", "Lambda", "TFSMLayer", "TorchModuleWrapper",
        "JaxLayer", "FlaxLayer",
        # They take functions or optimizers that only Python can give.
        "MeanMetricWrapper", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap",
        # Metrics of a single value: they would average the labels, weighted by the outputs.
        "Mean", "Sum",
    }
)  # fmt: skip


@cache
def public_names(module: str) -> tuple[str, ...]:
    """Return the names in a public module of Keras, such as `layers` or `optimizers.schedules`."""
    spec = importlib.util.find_spec("keras")  # find the package without running it
    if spec is None or not spec.submodule_search_locations:
        return ()
    path = Path(spec.submodule_search_locations[0], *module.split("."), "__init__.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return tuple(
        dict.fromkeys(alias.asname or alias.name for node in imports for alias in node.names)
    )


def classes(module: str) -> Mapping[str, str]:
    """Return the classes of a public module of Keras, each as `"keras.module:Name"`."""
    names = (
        name for name in public_names(module) if name[0].isupper() and name not in NOT_COMPONENTS
    )
    return {name: f"keras.{module}:{name}" for name in names}


def functions(module: str) -> Mapping[str, str]:
    """Return the functions of a public module of Keras, each as `"keras.module:name"`."""
    names = (
        name
        for name in public_names(module)
        if name[0].islower() and name not in {"get", "serialize", "deserialize"}
    )
    return {name: f"keras.{module}:{name}" for name in names}
