"""What Keras offers, by name, read off its public modules' text so that Keras itself stays unimported."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

NOT_COMPONENTS = frozenset(
    {
        # The abstract parents of their kinds.
        "Layer", "Loss", "Metric", "Optimizer", "LearningRateSchedule", "Initializer", "Regularizer", "Constraint", "Wrapper",
        # What is not a layer, and what would carry code or a saved model in a config.
        "Input", "InputLayer", "InputSpec", "Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
        # Takes metric functions, or optimizers of layers, from Python only.
        "MeanMetricWrapper", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap",
    }
)  # fmt: skip


@cache
def public_names(module: str) -> tuple[str, ...]:
    """The names that a public module of Keras, such as `layers` or `optimizers.schedules`, exports."""
    spec = importlib.util.find_spec("keras")  # finds the package without running it
    if spec is None or not spec.submodule_search_locations:
        return ()
    path = Path(spec.submodule_search_locations[0], *module.split("."), "__init__.py")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
    return tuple(
        dict.fromkeys(alias.asname or alias.name for node in imports for alias in node.names)
    )


def classes(module: str) -> Mapping[str, str]:
    """The classes of a public module of Keras, each as `"keras.module:Name"`."""
    names = (
        name for name in public_names(module) if name[0].isupper() and name not in NOT_COMPONENTS
    )
    return {name: f"keras.{module}:{name}" for name in names}


def functions(module: str) -> Mapping[str, str]:
    """The functions of a public module of Keras, each as `"keras.module:name"`."""
    names = (
        name
        for name in public_names(module)
        if name[0].islower() and name not in {"get", "serialize", "deserialize"}
    )
    return {name: f"keras.{module}:{name}" for name in names}
