"""One call of training: when to step, log, summarise and save, and what memory holds between two calls."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plx_core.config.sections import WarmStartConfig
from plx_core.engine.variables import assign_variables
from plx_core.errors import CheckpointError
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.run_directory import CHECKPOINTS

logger = logging.getLogger(__name__)


def warm_start(variables: Mapping[str, Any], source: WarmStartConfig) -> None:
    """Give variables the values of another run.

    Raises:
        CheckpointError: there is no checkpoint, no variable is chosen, or names or shapes do not fit.
    """
    path = Path(source.path)
    checkpoint = (
        path
        if (path / checkpoint_files.MANIFEST).is_file() and not (path / CHECKPOINTS).is_dir()
        else Checkpoints(path / CHECKPOINTS).latest()
    )
    if checkpoint is None:
        raise CheckpointError(f"there is no checkpoint to start from in {path}")
    saved = checkpoint_files.load(checkpoint)["program"]["variables"]
    chosen = {
        name: variable
        for name, variable in variables.items()
        if re.fullmatch(source.variables, name)
    }
    if not chosen:
        raise CheckpointError(
            f"no variable matches {source.variables}; there are {', '.join(variables)}"
        )
    wanted = {name: source.names.get(name, name) for name in chosen}
    assign_variables(
        chosen,
        {name: saved[other] for name, other in wanted.items() if other in saved},
        f"variables of {checkpoint}",
    )
    logger.info("started from %d variables of %s", len(chosen), checkpoint)
