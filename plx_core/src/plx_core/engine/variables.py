"""Variables and the values that a checkpoint holds of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plx_core.errors import CheckpointError, did_you_mean
from plx_core.types import Array, Variable


def assign_variables(
    variables: Mapping[str, Variable], values: Mapping[str, Array], group: str
) -> None:
    """Assign the values of a checkpoint to variables.

    Args:
        variables: by name.
        values: by name.
        group: what the error message calls them.

    Raises:
        CheckpointError: names or shapes differ; the message says which.
    """
    problems = []
    for name, variable in variables.items():
        if name not in values:
            problems.append(
                f"{name} {tuple(variable.shape)} is not in the checkpoint"
                f"{did_you_mean(name, values)}"
            )
        elif tuple(values[name].shape) != tuple(variable.shape):
            problems.append(
                f"{name} has shape {tuple(values[name].shape)} in the checkpoint "
                f"and {tuple(variable.shape)} in the network"
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


def weights_to_use(state: Mapping[str, Any]) -> dict[str, Array]:
    """Return the weights that a checkpoint is evaluated, used and exported with, by name.

    These are the averages that the optimizer keeps (`use_ema`), and otherwise the trained weights.

    Args:
        state: the content of the checkpoint.
    """
    program = state["program"]
    return {**program["variables"], **program.get("averages", {})}
