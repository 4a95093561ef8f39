"""Whether a training step is quicker when XLA compiles it: tried once for a run, and remembered in its directory."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from plx_core.interfaces import Pipeline
from plx_core.run_directory import write_text

logger = logging.getLogger(__name__)

ANSWER = "xla.json"
STEPS, TURNS = 32, 3


class Steps(Protocol):
    """What takes steps over batches."""

    def read(self, dataset: tf.data.Dataset) -> object:
        """The batches of a data set, as `run` takes them."""

    def run(self, batches: object, steps: int) -> None:
        """Take steps."""


def is_quicker(directory: Path, make: Callable[[bool], Steps], pipeline: Pipeline) -> bool:
    """Whether to compile with XLA: what the run directory says, else what a trial finds, which the directory then says.

    Args:
        directory: of the run; a resumed one is the same program.
        make: a program, compiled or not; its weights are thrown away.
        pipeline: gives the batches.
    """
    answer = directory / ANSWER
    if not answer.exists():
        without = _rate(make(False), pipeline)
        rates = {"without": without, "with": _rate(make(True), pipeline, without)}
        found = {"xla": rates["with"] > rates["without"], "steps_per_second": rates}
        write_text(answer, json.dumps(found))
        logger.info("xla: %s, after a trial: %s", found["xla"], found["steps_per_second"])
    return bool(json.loads(answer.read_text(encoding="utf-8"))["xla"])


def _rate(program: Steps, pipeline: Pipeline, rival: float = 0.0) -> float:
    """The best number of steps a second in a few turns; a first impression where that is far below a rival's; 0 where XLA cannot."""
    try:
        batches = program.read(pipeline.dataset().repeat())
        program.run(batches, 1)
        impression = _steps_per_second(program, batches, 1)
        # Compiled convolutions can be forty times as slow on a CPU, and their trial would take longer than the training.
        if impression < rival / 4:
            return impression
        return max(_steps_per_second(program, batches, STEPS) for _ in range(1 + TURNS))
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
        logger.info("no XLA: %s", str(error).splitlines()[0])
        return 0.0


def _steps_per_second(program: Steps, batches: object, steps: int) -> float:
    start = time.perf_counter()
    program.run(batches, steps)
    return steps / (time.perf_counter() - start)
