"""Whether XLA makes training faster: tried once for a run and stored in its directory."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from plx_core.data.pipeline import Pipeline
from plx_core.runs.run_directory import read_mapping, write_text

logger = logging.getLogger(__name__)

RESULT = "xla.json"
STEPS, TURNS = 32, 3
SLOW = 10.0
"""At fewer steps per second the overhead of a call does not matter, so one step is a fair trial."""


class Steps(Protocol):
    """A program that takes steps over batches."""

    def read(self, dataset: tf.data.Dataset) -> object:
        """Return the batches of a data set, as `run` takes them."""

    def run(self, batches: object, steps: int) -> None:
        """Take a number of steps."""


def is_faster(directory: Path, rate: Callable[[bool, float], float]) -> bool:
    """Whether to compile with XLA: the stored result of a trial, or that of a trial now.

    Args:
        directory: the run directory.
        rate: called with whether to compile, and the rate to beat; returns steps per second, 0 if
            XLA cannot compile the program.
    """
    stored = stored_result(directory)
    if stored is not None:
        return stored
    without = rate(False, 0.0)
    rates = {"without": without, "with": rate(True, without)}
    result = {
        "xla": rates["with"] > rates["without"],
        "per_second": {name: round(value, 3) for name, value in rates.items()},
    }
    write_text(directory / RESULT, json.dumps(result))
    logger.info("xla: %s, after a trial: %s", result["xla"], result["per_second"])
    return bool(result["xla"])


def stored_result(directory: Path) -> bool | None:
    """Return the result of a run's trial; None if there has been none."""
    stored = (read_mapping(directory / RESULT) or {}).get("xla")
    return stored if isinstance(stored, bool) else None


def best_rate(work: Callable[[], object], turns: int = TURNS) -> float:
    """Return how often a second some work can be done, in the fastest of a few turns.

    It is 0 where XLA cannot compile the work.
    """
    try:
        work()
        return max(_rate(work) for _ in range(turns))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        logger.info("XLA cannot compile it: %s", str(error).splitlines()[0])
        return 0.0


def steps_per_second(program: Steps, pipeline: Pipeline, rival: float) -> float:
    """Return the steps per second of a program.

    Args:
        program: the program.
        pipeline: its data.
        rival: the rate to beat; a program that is far slower is judged by its first steps.
    """
    batches = program.read(pipeline.dataset().repeat())
    impression = best_rate(lambda: program.run(batches, 1), turns=1)
    # Compiled convolutions can be 40 times slower on a CPU: a full trial might outlast training.
    if impression < min(rival / 4, SLOW):
        return impression
    steps = max(1, min(STEPS, int(impression)))  # at most a second, where a step takes long
    return steps * best_rate(lambda: program.run(batches, steps))


def _rate(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1 / (time.perf_counter() - start)
