"""Whether training is quicker when XLA compiles it: tried once for a run, and remembered in its directory."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from plx_core.data.pipeline import Pipeline
from plx_core.runs.run_directory import write_text

logger = logging.getLogger(__name__)

ANSWER = "xla.json"
STEPS, TURNS = 32, 3
SLOW = 10.0
"""So few steps a second are slow: a call that takes one step is not judged by what a call costs."""


class Steps(Protocol):
    """What takes steps over batches."""

    def read(self, dataset: tf.data.Dataset) -> object:
        """The batches of a data set, as `run` takes them."""

    def run(self, batches: object, steps: int) -> None:
        """Take steps."""


def is_quicker(directory: Path, rate: Callable[[bool, float], float]) -> bool:
    """Whether to compile with XLA: what the run directory says, else what a trial finds, which the directory then says.

    Args:
        directory: of the run; a resumed one is the same program.
        rate: of compiling or not, and of the rate that is to be beaten; how quick it is, 0 where XLA cannot.
    """
    if (known := answer(directory)) is not None:
        return known
    without = rate(False, 0.0)
    rates = {"without": without, "with": rate(True, without)}
    found = {
        "xla": rates["with"] > rates["without"],
        "per_second": {name: round(value, 3) for name, value in rates.items()},
    }
    write_text(directory / ANSWER, json.dumps(found))
    logger.info("xla: %s, after a trial: %s", found["xla"], found["per_second"])
    return bool(found["xla"])


def answer(directory: Path) -> bool | None:
    """What the run directory says; None where there has been no trial."""
    path = directory / ANSWER
    return bool(json.loads(path.read_text(encoding="utf-8"))["xla"]) if path.exists() else None


def best_rate(work: Callable[[], object], turns: int = TURNS) -> float:
    """How often a second work is done, in the quickest of a few turns; 0 where XLA cannot compile it."""
    try:
        work()
        return max(_rate(work) for _ in range(turns))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        logger.info("no XLA: %s", str(error).splitlines()[0])
        return 0.0


def steps_per_second(program: Steps, pipeline: Pipeline, rival: float) -> float:
    """How quick a program is; a first impression where one step takes long, and far longer than a rival's."""
    batches = program.read(pipeline.dataset().repeat())
    impression = best_rate(lambda: program.run(batches, 1), turns=1)
    # Compiled convolutions can be forty times as slow on a CPU, and their trial would take longer than the training.
    if impression < min(rival / 4, SLOW):
        return impression
    steps = max(1, min(STEPS, int(impression)))  # a second's worth, where a step takes long
    return steps * best_rate(lambda: program.run(batches, steps))


def _rate(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1 / (time.perf_counter() - start)
