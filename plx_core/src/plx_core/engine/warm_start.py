"""Initial weights from another run."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from plx_core.config.sections import WarmStartConfig
from plx_core.engine.variables import assign_variables, weights_to_use
from plx_core.errors import CheckpointError, ComponentError, reason_of
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.run_directory import CHECKPOINTS
from plx_core.types import Variable

logger = logging.getLogger(__name__)


def compile_expression(expression: str) -> None:
    """Raise an error if RE2 cannot compile a regular expression.

    Raises:
        ComponentError: it cannot, for example because RE2 has no look-around.
    """
    try:
        tf.strings.regex_full_match("", expression)
    except tf.errors.InvalidArgumentError as error:
        raise ComponentError(
            f"RE2 cannot compile {expression}: {reason_of(error)}",
            about="train.warm_start.variables",
        ) from error


def warm_start(variables: Mapping[str, Variable], source: WarmStartConfig) -> Mapping[str, Any]:
    """Assign the values of another run to variables.

    Returns:
        The content of the checkpoint.

    Raises:
        CheckpointError: there is no checkpoint, no variable matches, or names or shapes differ.
    """
    path = Path(source.path)
    is_checkpoint = (path / checkpoint_files.MANIFEST).is_file() and not (
        path / CHECKPOINTS
    ).is_dir()
    checkpoint = path if is_checkpoint else Checkpoints(path / CHECKPOINTS).latest()
    if checkpoint is None:
        raise CheckpointError(f"there is no checkpoint to start from in {path}")
    content = checkpoint_files.load(checkpoint)
    saved = weights_to_use(content) if source.averages else content["program"]["variables"]
    # RE2 takes linear time; Python's own matcher takes exponential time for some expressions.
    matches = tf.strings.regex_full_match(list(variables), source.variables).numpy()
    chosen = {
        name: variable
        for (name, variable), is_match in zip(variables.items(), matches, strict=True)
        if is_match
    }
    if not chosen:
        raise CheckpointError(
            f"no variable matches {source.variables}; there are {', '.join(variables)}"
        )
    sources = {name: source.names.get(name, name) for name in chosen}
    values = {name: saved[other] for name, other in sources.items() if other in saved}
    assign_variables(chosen, values, f"variables of {checkpoint}")
    logger.info("started from %d variables of %s", len(chosen), checkpoint)
    return content
