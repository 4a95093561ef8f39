"""The training program: many steps in one call of TensorFlow, with metrics, and state that a checkpoint can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plx_core.errors import CheckpointError, did_you_mean


def assign_variables(variables: Mapping[str, Any], values: Mapping[str, Any], group: str) -> None:
    """Give variables the values of a checkpoint.

    Raises:
        CheckpointError: names or shapes differ; the message says which.
    """
    problems = []
    for name, variable in variables.items():
        if name not in values:
            problems.append(
                f"{name} {tuple(variable.shape)} is not in the checkpoint{did_you_mean(name, values)}"
            )
        elif tuple(values[name].shape) != tuple(variable.shape):
            problems.append(
                f"{name} has shape {tuple(values[name].shape)} in the checkpoint and {tuple(variable.shape)} in the network"
            )
    problems += [
        f"{name} {tuple(value.shape)} is in the checkpoint only"
        for name, value in values.items()
        if name not in variables
    ]
    if problems:
        raise CheckpointError(f"the {group} of the checkpoint do not fit: {'; '.join(problems)}")
    for name, variable in variables.items():
        variable.assign(values[name])
