"""The training loop of an estimator."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from attrs import define

from plx_core.callbacks.callback import Callback
from plx_core.config.sections import EnvironmentConfig
from plx_core.data.input_fn import explained
from plx_core.data.pipeline import Pipeline
from plx_core.engine.loop import Goals, TrainingLoop, crosses
from plx_core.engine.pacing import BlockSize
from plx_core.models.spec import EstimatorSpec
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run import Run
from plx_core.supervised.training_program import FINITE, TrainingProgram
from plx_core.types import Array

logger = logging.getLogger(__name__)

TENSOR_SUMMARIES = frozenset({"activations", "gradients", "image_input", "image_result"})
"""The summaries that need a step of their own, whose layers, gradients and images are returned."""


@define(eq=False)
class TrainingState:
    """What an estimator keeps in memory between two calls of `train`.

    Args:
        input_fn: as it was passed to `train`.
        pipeline: what it yields.
        program: the network, its optimizer and its metrics.
        batches: the iterator that the program reads.
        position: the number of the next batch.
    """

    input_fn: Any
    pipeline: Pipeline
    program: TrainingProgram
    batches: Any
    position: int

    @property
    def remaining(self) -> int | None:
        """The number of batches left; None when it is unknown, or when they never end."""
        count = self.pipeline.num_batches
        return None if count is None else count - self.position


class EstimatorLoop(TrainingLoop):
    """One call of `Estimator.train`."""

    def __init__(
        self,
        run: Run,
        config: EnvironmentConfig,
        training: TrainingState,
        callbacks: Sequence[Callback],
        trackers: Sequence[Tracker],
    ) -> None:
        super().__init__(run, config.run_config, callbacks, trackers)
        self.training = training
        self.program = training.program
        self._block = BlockSize(config.steps_per_call)
        self._is_out_of_data = False
        self._summary_tensors: dict[str, Array] = {}

    @property
    def spec(self) -> EstimatorSpec:
        """The specification that is trained."""
        return self.program.spec

    @property
    def global_step(self) -> int:
        """The number of steps so far, one for each batch."""
        return self.program.global_step

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return self.program.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.program.learning_rate = value

    def run(self, goals: Goals) -> None:
        """Train until a goal is reached, a callback stops it, or the data ends."""
        first = self.global_step
        self.trainer.run_directory.note_data("train", self.training.pipeline.counters())
        super().run(goals)
        if self._is_out_of_data and self.global_step == first:
            logger.warning(
                "the training data has been used up at step %d; nothing was left to train on", first
            )

    def _is_finished(self) -> bool:
        return self._is_out_of_data or super()._is_finished()

    def _advance(self) -> None:
        training, program, step = self.training, self.program, self.global_step
        periods = [self._periods.save_checkpoints_steps, self._periods.save_summary_steps]
        periods += [self._periods.log_step_count_steps]
        periods += [callback.every_n_steps for callback in self.callbacks]
        count = self._block.next(step, self.goals.steps, periods)
        remaining = training.remaining
        if remaining is not None:
            count = min(count, remaining)
        if count <= 0:
            self._is_out_of_data = True
            return
        start = time.perf_counter()
        try:
            with explained(training.pipeline):
                self._take(step, count)
            self._is_out_of_data = remaining == count
        except tf.errors.OutOfRangeError:
            self._is_out_of_data = True
        self._block.took(count, time.perf_counter() - start)
        if program.bad_step != FINITE:
            batch = training.position + program.bad_step
            raise self._non_finite(
                f"the loss is not finite at step {step + program.bad_step + 1} "
                f"(batch {batch} of the training data, counted from 0)"
            )
        training.position += program.global_step - step

    def _take(self, step: int, count: int) -> None:
        is_due = crosses(step, step + count, self._periods.save_summary_steps)
        if is_due and TENSOR_SUMMARIES & self.spec.summaries:
            self._summary_tensors = self.program.run_and_summarise(self.training.batches, count)
        else:
            self.program.run(self.training.batches, count)

    def _metrics(self, *, reset: bool) -> dict[str, float]:
        """Return the means since the last log, the learning rate, and the pipeline's counters."""
        counters = {name: float(count) for name, count in self.training.pipeline.counters().items()}
        return self.program.results(reset=reset) | counters

    def _tensors(self) -> dict[str, Array]:
        return dict(self._summary_tensors)

    def _state(self) -> dict[str, Any]:
        return {"program": self.program.state(), "input": {"batch": self.training.position}}

    def _find_non_finite(self) -> str:
        return self.program.find_non_finite()
